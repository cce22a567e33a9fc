//! What several test modules share.

pub(crate) mod atlas;
pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod cmd;
pub(crate) mod evidence;
pub(crate) mod gcp;
#[cfg(feature = "real-servers")]
pub(crate) mod proxy;
pub(crate) mod stored;
