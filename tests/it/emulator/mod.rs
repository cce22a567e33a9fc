//! Services in miniature, each serving a world of its own on the loopback interface in its own
//! wire format. They name nothing of the crate under test: what they say is what the vendors'
//! documentation says.

pub(crate) mod atlas;
pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod gcp;
