//! The outbound HTTP of inventory sources: one client for a root, with its login, retries, pacing,
//! limits of size and time, proxies and private authority. It never judges an answer: what a body
//! or a status means is the caller's. It sends GETs, and two POSTs: one to log in, one to log out.

mod answer;
mod attempt;
mod base;
mod bearer;
mod body;
mod client;
mod digest;
mod pace;
mod refusal;
mod retry;
mod settings;
mod trouble;

pub use answer::{Answer, Ask, Failure};
pub use client::Client;
pub use refusal::refusal;
pub use settings::{Clock, Retries, Settings, SetupError, Stop, Timeouts};

#[cfg(test)]
mod tests;
