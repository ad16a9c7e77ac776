//! Declarations of the SDK for editors, made from the JSDoc of its source: one ambient module for each subpath.

mod emit;
mod jsdoc;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::error::KitError;
use crate::sdk::{self, Exports};

/// Where the declarations lie in a plugin.
pub const FILE: &str = "types/openclaw-sdk.d.ts";
/// The hand-written part: what plugins are given.
const API: &str = include_str!("../templates/shared/api.d.ts");
/// The module of the hand-written part.
const API_MODULE: &str = "chela-sdk/api";

/// The declarations of everything that the SDK carries.
///
/// # Errors
/// [`KitError::Embedded`] when a part of the program is damaged.
pub fn declarations() -> Result<String, KitError> {
    let (carried, types) = (sdk::listed()?, sdk::type_names()?);
    let own = own_types();
    let mut out = String::from(
        "// What `openclaw/plugin-sdk` carries here, for editors. Made by `chela plugins new`; `any` stands for what has no type yet.\n\n",
    );
    out.push_str(API);
    let mut queue: VecDeque<String> = carried.keys().map(|subpath| format!("plugin-sdk/{subpath}.js")).collect();
    let mut seen: BTreeSet<String> = queue.iter().cloned().collect();
    while let Some(file) = queue.pop_front() {
        let text = sdk::source(&file)?;
        let made = emit::module(&file, &text, &carried).ok_or_else(|| KitError::Embedded(file.clone()))?;
        let more = subpath(&file).map(|subpath| type_exports(subpath, &carried, &types, &own)).unwrap_or_default();
        out.push_str(&format!("\ndeclare module \"{}\" {{\n{}{more}}}\n", module_name(&file), made.text));
        for next in made.needs {
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    out.push_str("\ndeclare module \"openclaw\" {\n  export * from \"openclaw/plugin-sdk\";\n}\n");
    Ok(out)
}

/// The subpath of a file that is one.
fn subpath(file: &str) -> Option<&str> {
    file.strip_prefix("plugin-sdk/")?.strip_suffix(".js").filter(|name| !name.contains('/'))
}

/// The name under which a file is declared.
fn module_name(file: &str) -> String {
    match subpath(file) {
        Some("index") => "openclaw/plugin-sdk".into(),
        Some(subpath) => format!("openclaw/plugin-sdk/{subpath}"),
        None => format!("chela-sdk/{}", file.trim_end_matches(".js")),
    }
}

/// Types of the hand-written part, by name.
fn own_types() -> BTreeSet<&'static str> {
    let named = |line: &'static str| {
        let rest = line.strip_prefix("  export interface ").or_else(|| line.strip_prefix("  export type "))?;
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
    };
    API.lines().filter_map(named).collect()
}

/// Types that the reference exports from a subpath: ours where they are written out, else `any`.
fn type_exports(subpath: &str, carried: &Exports, types: &BTreeMap<String, BTreeSet<String>>, own: &BTreeSet<&str>) -> String {
    let none = BTreeSet::new();
    let values = carried.get(subpath).unwrap_or(&none);
    let names: Vec<&String> = types.get(subpath).unwrap_or(&none).iter().filter(|name| !values.contains(*name)).collect();
    let (ours, others): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| own.contains(name.as_str()));
    let mut out = String::new();
    if !ours.is_empty() {
        let list: Vec<&str> = ours.iter().map(|name| name.as_str()).collect();
        out.push_str(&format!("  export type {{ {} }} from \"{API_MODULE}\";\n", list.join(", ")));
    }
    for name in others {
        out.push_str(&format!("  export type {name}<A = any, B = any, C = any> = any;\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_export_of_every_subpath_is_declared() {
        let text = declarations().unwrap();
        for (subpath, names) in sdk::listed().unwrap() {
            let module = module_name(&format!("plugin-sdk/{subpath}.js"));
            let start = text.find(&format!("\ndeclare module \"{module}\" {{\n")).unwrap_or_else(|| panic!("{module}"));
            let block = &text[start..start + text[start..].find("\n}\n").unwrap()];
            for name in names {
                let is_there = block.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').any(|word| word == name);
                assert!(is_there || block.contains("export * from"), "{module}: {name}\n{block}");
            }
        }
        assert!(text.contains("export type { AnyAgentTool"), "the written-out types are exported");
    }

    #[test]
    fn jsdoc_becomes_types() {
        let source = "/**\n * Adds.\n * @param {number} a the first\n * @param {object} [b]\n * @returns {string}\n */\nexport function add(a, b, { c } = {}) {}\n\
                      /** Later. */\nexport async function wait(ms = 5, ...rest) {}\nexport const NAME = 'x', twice = (n) => n;\nexport class Odd extends Error { run(x) {} static of() {} #own() {} }\n\
                      import { far } from './far.js';\nfunction near(a) {}\nexport { near, far as away };\nexport default near;\nexport * from './all.js';\n";
        let made = emit::module("plugin-sdk/internal/x.js", source, &Exports::new()).unwrap();
        for line in [
            "  /** Adds. */\n  export function add(a: number, b?: any, options?: any): string;",
            "  export function wait(ms?: any, ...rest: any[]): Promise<any>;",
            "  export const NAME: string;",
            "  export function twice(n?: any): any;",
            "  export class Odd extends Error {\n    constructor(...args: any[]);\n    run(x?: any): any;\n    static of(): any;\n    [member: string]: any;\n  }",
            "  export function near(a?: any): any;",
            "  export { far as away } from \"chela-sdk/plugin-sdk/internal/far\";",
            "  export default near;",
            "  export * from \"chela-sdk/plugin-sdk/internal/all\";",
        ] {
            assert!(made.text.contains(line), "{line}\n---\n{}", made.text);
        }
        assert_eq!(made.needs, ["plugin-sdk/internal/far.js", "plugin-sdk/internal/all.js"]);
    }
}
