//! Validation, duplicates and trust limits of every method, table by table.

mod commands;
mod duplicates;
mod hooks;
mod providers;
mod rejections;
mod report;
mod surfaces;
mod tools;
mod trust;

use serde_json::{Value, json};

use super::testing::{World, f, facts, said, started};
use super::*;
use crate::hook::HookName;
use crate::lane::RegistrationMode;
use crate::register::entries::{CatalogSource, ToolSource, text_rows};

/// Registers `calls` as one plugin `p` and returns what was said.
fn alone(calls: &[(&str, Value)]) -> Vec<String> {
    said(&World::new().plugin("p", calls).build())
}

fn object(value: Value) -> Value {
    json!([value])
}

fn channel(id: &str) -> Value {
    let meta = json!({"id": id, "label": "L", "selectionLabel": "S", "docsPath": "/d", "blurb": ""});
    json!([{"plugin": {"id": id, "meta": meta, "config": {"listAccountIds": f(1), "resolveAccount": f(2)}}}])
}
