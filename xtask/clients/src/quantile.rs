//! Percentiles, of the nearest rank.

use crate::clock;

/// The 50th and the 99th, in milliseconds, of spans in nanoseconds; zero of none.
pub(crate) fn p50_p99(spans: &mut [u64]) -> (f64, f64) {
    (milliseconds(nth(spans, 50)), milliseconds(nth(spans, 99)))
}

fn nth(spans: &mut [u64], percent: usize) -> u64 {
    let rank = (spans.len() * percent).div_ceil(100).max(1) - 1;
    if spans.is_empty() { 0 } else { *spans.select_nth_unstable(rank).1 }
}

fn milliseconds(span: u64) -> f64 {
    clock::seconds(span) * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_and_of_none() {
        let mut spans: Vec<u64> = (1..=100).rev().map(|n| n * 1_000_000).collect();
        assert_eq!(p50_p99(&mut spans), (50.0, 99.0));
        assert_eq!(p50_p99(&mut []), (0.0, 0.0));
    }
}
