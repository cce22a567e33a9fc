//! Tables of the rules, facts in and verdict out, through the public entry: each file is about one
//! part of the contract, and `property` about all of it.

mod absent_ids;
mod conditions;
mod coverage;
mod dependants;
mod doubts;
mod estate;
mod findings;
mod gone;
mod history;
mod identities;
mod property;
mod restore;
mod rotation;
mod target;
mod windows;
