//! What is wrong with bytes that a client sent, or with a message that does not fit its format.

use crate::{Error, ErrorKind};
use alloc::string::ToString as _;
use core::fmt;

/// Why bytes of a client make no sense. None of it can be mended: the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// A package of no known type.
    PackageType(u8),
    /// A package's body is longer than this side takes.
    PackageTooLong {
        /// What the header announces, in bytes.
        length: usize,
        /// What is taken, in bytes.
        limit: usize,
    },
    /// The bytes end within a message.
    Truncated,
    /// A message of no known type.
    MessageKind(u8),
    /// A number in base 128, such as a message's id, does not fit into 64 bits.
    NumberTooLong,
    /// A route is not in UTF-8.
    RouteNotUtf8,
    /// A route's code stands in no dictionary.
    RouteCode(u16),
    /// A body is flagged as compressed, but is neither gzip's nor zlib's format, or is damaged.
    Compression,
    /// A compressed body would be longer than this side takes.
    CompressedTooLong {
        /// What is taken, in bytes.
        limit: usize,
    },
    /// A handshake is no JSON object.
    Handshake,
    /// No protobuf definition has the route's name.
    NoDefinition,
    /// A protobuf body has a field that its definition does not know.
    UnknownField(u32),
    /// A protobuf body has messages within messages, deeper than is taken.
    TooDeep,
}

impl DecodeError {
    /// A short name for counting, the same for all errors of the kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PackageType(_) => "package-type",
            Self::PackageTooLong { .. } => "package-too-long",
            Self::Truncated => "truncated",
            Self::MessageKind(_) => "message-kind",
            Self::NumberTooLong => "number-too-long",
            Self::RouteNotUtf8 => "route-not-utf8",
            Self::RouteCode(_) => "route-code",
            Self::Compression => "compression",
            Self::CompressedTooLong { .. } => "compressed-too-long",
            Self::Handshake => "handshake",
            Self::NoDefinition => "no-definition",
            Self::UnknownField(_) => "unknown-field",
            Self::TooDeep => "too-deep",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PackageType(kind) => write!(f, "a package of the unknown type {kind}"),
            Self::PackageTooLong { length, limit } => {
                write!(f, "a package of {length} bytes where at most {limit} are allowed")
            }
            Self::Truncated => f.write_str("the bytes end within a message"),
            Self::MessageKind(kind) => write!(f, "a message of the unknown type {kind}"),
            Self::NumberTooLong => f.write_str("a number does not fit into 64 bits"),
            Self::RouteNotUtf8 => f.write_str("a route is not in UTF-8"),
            Self::RouteCode(code) => write!(f, "the route code {code} stands in no dictionary"),
            Self::Compression => f.write_str("a compressed body is damaged"),
            Self::CompressedTooLong { limit } => {
                write!(f, "a compressed body has more than the {limit} bytes that are allowed")
            }
            Self::Handshake => f.write_str("a handshake is no JSON object"),
            Self::NoDefinition => f.write_str("a protobuf body has no definition"),
            Self::UnknownField(tag) => write!(f, "a protobuf body has the unknown field {tag}"),
            Self::TooDeep => f.write_str("a protobuf body is nested too deeply"),
        }
    }
}

impl core::error::Error for DecodeError {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(ErrorKind::Protocol, error.to_string())
    }
}

/// Why something cannot be put into Pomelo's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// A package's body is longer than its header can say; in bytes.
    PackageTooLong(usize),
    /// A route is longer than a message can say; in bytes.
    RouteTooLong(usize),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PackageTooLong(length) => {
                let limit = super::package::MAX_BODY;
                write!(f, "a package of {length} bytes cannot be sent: {limit} are the most")
            }
            Self::RouteTooLong(length) => {
                let limit = super::message::MAX_ROUTE;
                write!(f, "a route of {length} bytes cannot be sent: {limit} are the most")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}
