//! `packageInstall` of an index row: where a package says that it can be got, and how firmly it is pinned (INS-084).

use chela_manifest::{NpmSelector, NpmSpec, PackageMeta};
use serde_json::{Map, Value, json};

/// Describes `openclaw.install`; nothing when the package has no such block.
pub(super) fn describe(package: &PackageMeta) -> Option<Value> {
    let block = package.raw.get("openclaw")?.get("install")?.as_object()?;
    let install = &package.install;
    let choice = install.default_choice.as_deref();
    let mut warnings = Vec::new();
    if block.contains_key("defaultChoice") && choice.is_none() {
        warnings.push("invalid-default-choice");
    }
    let clawhub = install.clawhub_spec.as_deref().and_then(|spec| clawhub(spec, &mut warnings));
    let npm = install.npm_spec.as_deref().and_then(|spec| npm(spec, package, &mut warnings));
    let missing = match choice {
        Some("clawhub") => clawhub.is_none(),
        Some("npm") => npm.is_none(),
        Some("local") => install.local_path.is_none(),
        _ => false,
    };
    if missing {
        warnings.push("default-choice-missing-source");
    }
    if install.expected_integrity.is_some() && npm.is_none() {
        warnings.push("npm-integrity-without-source");
    }
    let mut out = Map::new();
    for (key, value) in [
        ("defaultChoice", choice.map(Value::from)),
        ("clawhub", clawhub),
        ("npm", npm),
        ("local", install.local_path.as_deref().map(|path| json!({"path": path}))),
        ("warnings", Some(warnings.into())),
    ] {
        if let Some(value) = value {
            out.insert(key.into(), value);
        }
    }
    Some(Value::Object(out))
}

fn clawhub(spec: &str, warnings: &mut Vec<&'static str>) -> Option<Value> {
    let rest = spec.get(..8).filter(|prefix| prefix.eq_ignore_ascii_case("clawhub:")).and_then(|_| spec.get(8..)).map(str::trim);
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        warnings.push("invalid-clawhub-spec");
        return None;
    };
    let at = rest.rfind('@').filter(|at| *at > 0);
    let (name, version) = at.map_or((rest, None), |at| (&rest[..at], Some(rest[at + 1..].trim()).filter(|version| !version.is_empty())));
    if version.is_none() {
        warnings.push("clawhub-spec-floating");
    }
    let mut out = json!({"spec": spec, "packageName": name});
    if let Some(version) = version {
        out["version"] = version.into();
    }
    out["exactVersion"] = version.is_some().into();
    Some(out)
}

fn npm(text: &str, package: &PackageMeta, warnings: &mut Vec<&'static str>) -> Option<Value> {
    let Ok(spec) = NpmSpec::parse(text) else {
        warnings.push("invalid-npm-spec");
        return None;
    };
    let (kind, selector) = match &spec.selector {
        NpmSelector::None => ("none", None),
        NpmSelector::Exact(version) => ("exact-version", Some(version)),
        NpmSelector::Tag(tag) => ("tag", Some(tag)),
    };
    let exact = kind == "exact-version";
    let integrity = package.install.expected_integrity.as_deref();
    let other_name = package.name.as_deref().filter(|name| *name != spec.name);
    for (holds, warning) in [
        (!exact, "npm-spec-floating"),
        (integrity.is_none(), "npm-spec-missing-integrity"),
        (other_name.is_some(), "npm-spec-package-name-mismatch"),
    ] {
        if holds {
            warnings.push(warning);
        }
    }
    let pin = match (exact, integrity.is_some()) {
        (true, true) => "exact-with-integrity",
        (true, false) => "exact-without-integrity",
        (false, true) => "floating-with-integrity",
        (false, false) => "floating-without-integrity",
    };
    let mut out = json!({"spec": spec.raw, "packageName": spec.name});
    if let Some(name) = other_name {
        out["expectedPackageName"] = name.into();
    }
    out["selectorKind"] = kind.into();
    out["exactVersion"] = exact.into();
    out["pinState"] = pin.into();
    if let Some(selector) = selector {
        out["selector"] = selector.as_str().into();
    }
    if let Some(integrity) = integrity {
        out["expectedIntegrity"] = integrity.into();
    }
    Some(out)
}
