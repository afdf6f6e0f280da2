//! Tangelo's CPU binding on Linux.
//!
//! [`LinuxAffinity`] implements [`Affinity`](tangelo_core::Affinity). On other systems it compiles
//! too, and each of its methods answers [`Unsupported`](tangelo_core::ErrorKind::Unsupported).

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::LinuxAffinity;

/// No CPU binding on this system: it says so.
#[cfg(not(target_os = "linux"))]
pub type LinuxAffinity = tangelo_core::affinity::NoAffinity;
