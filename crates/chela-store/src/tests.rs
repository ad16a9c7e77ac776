//! Tests over the public calls, by subject.

mod files;
mod journal;
mod plugins;
mod sessions;
mod upkeep;
