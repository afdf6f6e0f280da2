//! Fields: what a definition consists of.

use alloc::string::String;

/// How often a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Required,
    Optional,
    Repeated,
}

impl Rule {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "required" => Self::Required,
            "optional" => Self::Optional,
            "repeated" => Self::Repeated,
            _ => return None,
        })
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Unsigned,
    Signed,
    Float,
    Double,
    Text,
    /// A message, by its definition's index.
    Message(usize),
}

impl Type {
    /// The type that is not a message.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "uInt32" => Self::Unsigned,
            "sInt32" | "int32" => Self::Signed,
            "float" => Self::Float,
            "double" => Self::Double,
            "string" => Self::Text,
            _ => return None,
        })
    }

    /// Whether it is a number: then a repeated field of it has one tag.
    pub(super) const fn is_number(self) -> bool {
        !matches!(self, Self::Text | Self::Message(_))
    }

    /// The lowest three bits of a tag.
    pub(super) const fn wire(self) -> u64 {
        match self {
            Self::Unsigned | Self::Signed => 0,
            Self::Double => 1,
            Self::Text | Self::Message(_) => 2,
            Self::Float => 5,
        }
    }

    /// The least that a value takes, in bytes.
    pub(super) const fn min_len(self) -> usize {
        match self {
            Self::Float => 4,
            Self::Double => 8,
            _ => 1,
        }
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) rule: Rule,
    pub(super) kind: Type,
    pub(super) tag: u32,
}
