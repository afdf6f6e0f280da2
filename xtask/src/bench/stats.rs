//! Minimum, median, 99th percentile and maximum.

use serde::Serialize;

/// What is kept of a row's samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) n: usize,
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// Of at least one sample; percentiles are of the nearest rank.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let rank = |numerator: usize, denominator: usize| {
            sorted[(n * numerator).div_ceil(denominator).clamp(1, n) - 1]
        };
        let median = match n {
            0 => return None,
            n if n % 2 == 0 => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
            n => sorted[n / 2],
        };
        Some(Self { n, min: sorted[0], median, p99: rank(99, 100), max: sorted[n - 1] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_and_of_many() {
        assert_eq!(Summary::of(&[]), None);
        let one = Summary { n: 1, min: 2.0, median: 2.0, p99: 2.0, max: 2.0 };
        assert_eq!(Summary::of(&[2.0]), Some(one));
        let many: Vec<_> = (1..=200).rev().map(f64::from).collect();
        let summary = Summary { n: 200, min: 1.0, median: 100.5, p99: 198.0, max: 200.0 };
        assert_eq!(Summary::of(&many), Some(summary));
    }
}
