//! Which CPUs each server gets.

use super::ServerDef;
use crate::CpuSet;
use crate::cpu::CpuRequest;
use alloc::vec::Vec;

/// The CPUs that each of `servers` is bound to, in their order: sets as they are, and for each
/// `auto` one CPU, in turn from those that are `allowed`.
///
/// A server that asks for none gets none, and so does `auto` where none is allowed.
#[must_use]
pub fn resolve_cpus(servers: &[ServerDef], allowed: &CpuSet) -> Vec<Option<CpuSet>> {
    let allowed: Vec<u32> = allowed.iter().collect();
    let mut turn = allowed.iter().cycle();
    let resolve = |def: &ServerDef| match def.cpu.as_ref()? {
        CpuRequest::Set(cpus) => Some(cpus.clone()),
        CpuRequest::Auto => turn.next().copied().map(CpuSet::one),
    };
    servers.iter().map(resolve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn auto_takes_turns_and_sets_stay() {
        let servers: Vec<_> = ["auto", "0-1", "", "auto", "auto"]
            .iter()
            .map(|cpu| ServerDef { cpu: cpu.parse().ok(), ..ServerDef::new("a", "chat", "localhost") })
            .collect();
        let resolved = |allowed: &CpuSet| -> Vec<_> {
            resolve_cpus(&servers, allowed)
                .iter()
                .map(|cpus| cpus.as_ref().map(ToString::to_string))
                .collect()
        };
        let some = |text: &str| Some(text.to_string());
        assert_eq!(resolved(&"2,4".parse().unwrap()), [some("2"), some("0-1"), None, some("4"), some("2")]);
        assert_eq!(resolved(&CpuSet::default()), [None, some("0-1"), None, None, None]);
    }
}
