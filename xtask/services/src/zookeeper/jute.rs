//! ZooKeeper's wire format: big-endian numbers, and lengths before texts and lists.

use anyhow::{Context as _, Result};

/// A packet being written; its length goes in front when it is sent.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn bool(mut self, value: bool) -> Self {
        self.0.push(value.into());
        self
    }

    pub(super) fn bytes(self, value: &[u8]) -> Self {
        let len = i32::try_from(value.len()).unwrap_or(i32::MAX);
        let mut writer = self.int(len);
        writer.0.extend(value);
        writer
    }

    pub(super) fn then(mut self, rest: Self) -> Self {
        self.0.extend(rest.0);
        self
    }

    /// With its length in front.
    pub(super) fn packet(self) -> Vec<u8> {
        Self::default().bytes(&self.0).0
    }
}

/// What is left to read of a packet.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    pub(super) fn long(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>> {
        // A length of -1 is no bytes at all.
        let len = usize::try_from(self.int()?).unwrap_or(0);
        let (bytes, rest) = self.0.split_at_checked(len).context("a packet of ZooKeeper ends too early")?;
        self.0 = rest;
        Ok(bytes.to_vec())
    }

    pub(super) fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk().context("a packet of ZooKeeper ends too early")?;
        self.0 = rest;
        Ok(*bytes)
    }
}
