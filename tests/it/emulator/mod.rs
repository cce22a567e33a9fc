//! Key services in miniature, each serving a world of keys on the loopback interface in its own
//! wire format. They name nothing of the crate under test: what they say is what the vendors'
//! documentation says.

pub(crate) mod aws;
