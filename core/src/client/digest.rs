//! How Pomelo names the version of something that clients keep: `base64(md5(JSON))`.

use alloc::string::String;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};

/// The version of what these texts are, one behind the other. It tells versions apart and protects nothing.
pub(super) fn version(texts: &[&str]) -> String {
    let mut md5 = Md5::new();
    for text in texts {
        md5.update(text.as_bytes());
    }
    BASE64_STANDARD.encode(md5.finalize())
}
