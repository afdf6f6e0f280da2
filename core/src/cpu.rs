//! Sets of CPUs and how servers.json names them.

use crate::{Error, ErrorKind, Result};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The highest CPU number that is understood; the largest Linux kernels are built for 8192 CPUs.
pub const MAX_CPU: u32 = 8191;

/// A set of CPU numbers.
///
/// As text it is the kernel's list format (cpuset(7), "List format", with the stride of
/// taskset(1)): `2`, `0-3,5`, `0-31:2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    /// The set of one CPU.
    #[must_use]
    pub fn one(cpu: u32) -> Self {
        Self([cpu].into())
    }

    /// Whether it has no CPU.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many CPUs it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `cpu` is in it.
    #[must_use]
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    /// The CPUs, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// The CPUs of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

/// The kernel's list format: `0-3,5`. The empty set is the empty text.
impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut cpus = self.iter().peekable();
        while let Some(first) = cpus.next() {
            let mut last = first;
            while cpus.next_if_eq(&last.saturating_add(1)).is_some() {
                last += 1;
            }
            if !text.is_empty() {
                text.push(',');
            }
            match last - first {
                0 => text += &first.to_string(),
                _ => text += &format!("{first}-{last}"),
            }
        }
        f.pad(&text)
    }
}

impl FromStr for CpuSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut cpus = BTreeSet::new();
        for part in text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
            let (range, stride) = part.split_once(':').unwrap_or((part, "1"));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last, stride) = (number(first, text)?, number(last, text)?, number(stride, text)?);
            if first > last || stride == 0 || last > MAX_CPU {
                return Err(malformed(text));
            }
            cpus.extend((first..=last).step_by(stride as usize));
        }
        if cpus.is_empty() {
            return Err(malformed(text));
        }
        Ok(Self(cpus))
    }
}

fn number(digits: &str, text: &str) -> Result<u32> {
    digits.trim().parse().map_err(|_| malformed(text))
}

fn malformed(text: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format!(
            "`{text}` names no CPUs: expected a number, a list such as \"0-3,5\", a stride such as \"0-31:2\", or \"auto\""
        ),
    )
}

impl Serialize for CpuSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CpuSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What `cpu` in servers.json asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpuRequest {
    /// These CPUs.
    Set(CpuSet),
    /// `"auto"`: one CPU, taken in turn from those that are allowed.
    Auto,
}

impl FromStr for CpuRequest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim() == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Set) }
    }
}

impl fmt::Display for CpuRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(cpus) => cpus.fmt(f),
            Self::Auto => f.pad("auto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn cpus(text: &str) -> Vec<u32> {
        text.parse::<CpuSet>().unwrap().iter().collect()
    }

    #[test]
    fn numbers_lists_ranges_and_strides_are_read() {
        assert_eq!(cpus("2"), [2]);
        assert_eq!(cpus("1,2"), [1, 2]);
        assert_eq!(cpus("0-3,5"), [0, 1, 2, 3, 5]);
        assert_eq!(cpus("0-3 5"), [0, 1, 2, 3, 5]);
        assert_eq!(cpus("0-7:2"), [0, 2, 4, 6]);
        assert_eq!("auto".parse::<CpuRequest>().unwrap(), CpuRequest::Auto);
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        for text in ["", "a", "3-1", "0-3:0", "-1", "1-", "8192", "0x3", "0-99999999999"] {
            let error = text.parse::<CpuRequest>().unwrap_err();
            assert!(error.to_string().contains("expected a number"), "{text}: {error}");
        }
    }

    #[test]
    fn the_list_format_is_written_as_the_kernel_writes_it() {
        for text in ["", "2", "0-1", "0-3,5", "0,2,4,6"] {
            let set: CpuSet = if text.is_empty() { CpuSet::default() } else { text.parse().unwrap() };
            assert_eq!(set.to_string(), text);
        }
    }
}
