//! The programs in README.md: examples of the facade, each for one choice of parts.

use super::cell::Step;

/// An example, and the features of its choice.
struct Choice {
    example: &'static str,
    features: &'static str,
}

const ONE_MACHINE: Choice =
    Choice { example: "choice_one_machine", features: "runtime-tokio,channel-sqlite,affinity,cli" };
const ZOOKEEPER_REDIS: Choice = Choice {
    example: "choice_zookeeper_redis",
    features: "runtime-tokio,coordinator-zookeeper,channel-redis,affinity,cli",
};
const ZOOKEEPER_POSTGRES_SMOL: Choice = Choice {
    example: "choice_zookeeper_postgres_smol",
    features: "runtime-smol,coordinator-zookeeper,channel-postgres,affinity,cli",
};

/// Each is compiled for its choice and no other.
pub(super) const STEPS: &[Step] = &[
    Step::check(&ONE_MACHINE.compiled()),
    Step::check(&ZOOKEEPER_REDIS.compiled()),
    Step::check(&ZOOKEEPER_POSTGRES_SMOL.compiled()),
];

impl Choice {
    const fn compiled(&self) -> [&'static str; 8] {
        let Self { example, features } = *self;
        ["check", "-p", "tangelo", "--example", example, "--no-default-features", "--features", features]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo;

    const CHOICES: [Choice; 3] = [ONE_MACHINE, ZOOKEEPER_REDIS, ZOOKEEPER_POSTGRES_SMOL];

    fn read(file: &str) -> String {
        std::fs::read_to_string(repo::root().join(file)).expect(file)
    }

    #[test]
    fn readme_shows_each_program_below_the_features_it_is_compiled_with() {
        let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
        for Choice { example, features } in CHOICES {
            let source = read(&format!("examples/{example}.rs"));
            let (_, program) = source.split_once("\n\n").expect("a comment, and the program");
            assert!(program.lines().count() <= 20, "{example} is longer than 20 lines");
            let features = format!("[\"{}\"]", features.replace(',', "\", \""));
            let dependency = format!(
                "```toml\ntangelo = {{ path = \"../tangelo\", default-features = false, features = {features} }}\n```"
            );
            let shown = format!("{dependency}\n\n```rust,no_run\n{program}```\n");
            assert!(readme.contains(&shown), "README.md does not show {example} below its features");
            let needed = format!("name = \"{example}\"\nrequired-features = {features}\n");
            assert!(manifest.contains(&needed), "Cargo.toml has other features for {example}");
        }
    }
}
