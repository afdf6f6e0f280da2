//! Reading what cargo printed.

use super::cell::Counts;

/// Adds up the `test result:` lines.
pub(super) fn tests(output: &str) -> Counts {
    let mut counts = Counts::default();
    for result in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        // `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s`
        let numbers = result.split_once(". ").map_or("", |(_, numbers)| numbers);
        for (number, word) in numbers.split("; ").filter_map(|part| part.split_once(' ')) {
            let Ok(number) = number.parse::<u32>() else { continue };
            match word {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                "ignored" => counts.ignored += number,
                _ => {}
            }
        }
    }
    counts
}

/// The first error that the compiler printed.
pub(crate) fn first_error(output: &str) -> Option<&str> {
    output.lines().find(|line| line.starts_with("error:") || line.starts_with("error["))
}

/// How many combinations of features cargo-hack ran cargo with, and the first complaint of one of them.
pub(super) fn combinations(output: &str) -> (Counts, Option<String>) {
    let mut counts = Counts::default();
    let mut running = "";
    let mut complaint = None;
    for line in output.lines() {
        if let Some(of) = line.strip_prefix("info: running ") {
            (running, counts.passed) = (of, counts.passed + 1);
        } else if complaint.is_none() && (line.starts_with("warning") || first_error(line).is_some()) {
            complaint = Some(format!("{running}: {line}"));
            counts.failed = 1;
        }
    }
    counts.passed -= counts.failed.min(counts.passed);
    (counts, complaint)
}

/// The part of an output that tells most of a failure, at most `lines` lines: what failed tests
/// printed, or from the first error on, or the end.
pub(super) fn telling(output: &str, lines: usize) -> Vec<&str> {
    let all: Vec<_> = output.lines().collect();
    let first = |is_it: &dyn Fn(&str) -> bool| all.iter().position(|line| is_it(line));
    let start = first(&|line| line == "failures:")
        .or_else(|| first(&|line| first_error(line).is_some() || line.starts_with("Diff in ")))
        .unwrap_or_else(|| all.len().saturating_sub(lines));
    all.into_iter().skip(start).take(lines).collect()
}

/// Which of `crates` a `cargo tree --prefix none --format "{p} {f}"` lists, with the feature behind a
/// slash if there is one.
pub(super) fn listed<'c>(tree: &str, crates: &[&'c str]) -> Vec<&'c str> {
    let is_listed = |wanted: &str| {
        let (name, feature) = wanted.split_once('/').map_or((wanted, None), |(name, f)| (name, Some(f)));
        let mut versions = tree.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(" v"));
        versions.any(|line| {
            feature.is_none_or(|feature| line.split([' ', ',']).skip(1).any(|word| word == feature))
        })
    };
    crates.iter().copied().filter(|wanted| is_listed(wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_test_binaries_add_up() {
        let output = "\
running 3 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests tangelo
test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 5 filtered out; finished in 1.20s
  test result: ok. 9 passed; a line that a test printed
";
        assert_eq!(tests(output), Counts { passed: 6, failed: 3, ignored: 1 });
        assert_eq!(tests("error: could not compile"), Counts::default());
    }

    #[test]
    fn the_first_error_is_found_among_the_rest() {
        let output = "   Compiling x\nwarning: error: no\nerror: pick a runtime\nerror[E0432]: later\n";
        assert_eq!(first_error(output), Some("error: pick a runtime"));
        assert_eq!(first_error("all fine"), None);
    }

    #[test]
    fn the_telling_part_of_a_failure() {
        let compile = "warning: w\nerror: e\n --> file\nwarning: x\n";
        assert_eq!(telling(compile, 2), ["error: e", " --> file"]);
        let tests = "test a ... FAILED\nfailures:\n---- a stdout ----\npanicked\nerror: test failed\n";
        assert_eq!(telling(tests, 2), ["failures:", "---- a stdout ----"]);
        assert_eq!(telling("a\nb\nc\n", 2), ["b", "c"]);
    }

    #[test]
    fn crates_are_matched_by_their_whole_name() {
        let tree = "tangelo v0.1.0 (/x)\ntokio-util v0.7.0\nasync-io v2.4.0\n";
        assert_eq!(listed(tree, &["tokio", "async-io"]), ["async-io"]);
        let tree = "tangelo v0.1.0 (/x) affinity,cli\ntokio v1.54.0 bytes,io-util (*)\nmio v1.0.0 \n";
        assert_eq!(listed(tree, &["tokio/rt", "tokio/io-util", "mio/net", "mio"]), ["tokio/io-util", "mio"]);
    }
}
