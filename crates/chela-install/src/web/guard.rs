//! Keeps addresses that strangers wrote from reaching this machine and its network (INS-280).

use url::Url;

use crate::error::InstallError;
use crate::redact::redact;

/// Numeric hosts are never looked up, so they are checked before each request.
pub(super) fn check_host(url: &Url) -> Result<(), InstallError> {
    if chela_net::is_public_host(url) {
        return Ok(());
    }
    Err(InstallError::refused(format!("failed to download {}: its host is no public address", redact(url.as_str())))
        .hint("download the archive yourself and install its path"))
}
