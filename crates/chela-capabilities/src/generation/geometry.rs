//! Sizes, aspect ratios and resolutions: the nearest that a provider has (PRV-317).

use serde_json::{Map, Value, json};

use super::Fitted;

/// What a provider has.
#[derive(Clone, Debug, Default)]
pub(super) struct Geometry<'a> {
    pub(super) sizes: Vec<&'a str>,
    pub(super) ratios: Vec<&'a str>,
    pub(super) resolutions: Vec<&'a str>,
    pub(super) takes_size: bool,
    pub(super) takes_ratio: bool,
    pub(super) takes_resolution: bool,
    /// Known resolutions, the smallest first.
    pub(super) ladder: &'static [&'static str],
}

/// The texts of a list.
pub(super) fn texts(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).filter(|t| !t.trim().is_empty()).collect()
}

/// Fits `size`, `aspectRatio` and `resolution` of a request.
pub(super) fn fit(geometry: &Geometry<'_>, params: &Value, fitted: &mut Fitted) {
    let wanted = |key: &str| params.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let (size, ratio, resolution) = (wanted("size"), wanted("aspectRatio"), wanted("resolution"));
    let mut changed = Map::new();
    // A provider takes one of size and ratio at least: the other is told in its words.
    let fitted_size = match size {
        Some(size) if geometry.takes_size => nearest_size(size, &geometry.sizes),
        None if geometry.takes_size && !geometry.takes_ratio => ratio.and_then(|r| size_like(r, &geometry.sizes)),
        _ => None,
    };
    let fitted_ratio = match ratio {
        Some(ratio) if geometry.takes_ratio => nearest_ratio(ratio, &geometry.ratios),
        None if geometry.takes_ratio && !geometry.takes_size => {
            size.and_then(ratio_of_size).and_then(|r| nearest_ratio(&r, &geometry.ratios))
        }
        _ => None,
    };
    if let Some(applied) = &fitted_size {
        fitted.keep("size", applied.clone().into());
        note(&mut changed, "size", size, applied, "aspectRatio");
    }
    if let Some(applied) = &fitted_ratio {
        fitted.keep("aspectRatio", applied.clone().into());
        note(&mut changed, "aspectRatio", ratio, applied, "size");
    }
    if let (Some(size), None) = (size, &fitted_size)
        && (fitted_ratio.is_none() || ratio.is_some())
    {
        fitted.ignore("size", size.into());
    }
    if let (Some(ratio), None) = (ratio, &fitted_ratio)
        && (fitted_size.is_none() || size.is_some())
    {
        fitted.ignore("aspectRatio", ratio.into());
    }
    if let Some(wanted) = resolution {
        match geometry.takes_resolution.then(|| nearest_resolution(wanted, geometry)).flatten() {
            Some(applied) => {
                note(&mut changed, "resolution", Some(wanted), &applied, "");
                fitted.keep("resolution", applied.into());
            }
            None => fitted.ignore("resolution", wanted.into()),
        }
    }
    fitted.normalization.extend(changed);
}

fn note(changed: &mut Map<String, Value>, key: &str, wanted: Option<&str>, applied: &str, from: &str) {
    match wanted {
        Some(wanted) if wanted == applied => {}
        Some(wanted) => drop(changed.insert(key.into(), json!({"requested": wanted, "applied": applied}))),
        None => drop(changed.insert(key.into(), json!({"applied": applied, "derivedFrom": from}))),
    }
}

/// `1024x768` as numbers.
fn size(text: &str) -> Option<(f64, f64)> {
    pair(text, &['x', 'X'])
}

/// `16:9` as a quotient.
fn ratio(text: &str) -> Option<f64> {
    pair(text, &[':']).map(|(w, h)| w / h)
}

fn pair(text: &str, separators: &[char]) -> Option<(f64, f64)> {
    let (a, b) = text.trim().split_once(separators)?;
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    Some((number(a)?, number(b)?))
}

/// The ratio of a size in smallest whole numbers.
pub(super) fn ratio_of_size(text: &str) -> Option<String> {
    let (w, h) = size(text)?;
    let (w, h) = (w as u64, h as u64);
    let (mut a, mut b) = (w, h);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let divisor = a.max(1);
    Some(format!("{}:{}", w / divisor, h / divisor))
}

fn nearest(among: &[&str], score: impl Fn(&str) -> Option<(f64, f64)>) -> Option<String> {
    let scored = among.iter().filter_map(|text| Some((score(text)?, *text)));
    let best = scored.min_by(|(a, x), (b, y)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(x.cmp(y)));
    best.map(|(_, text)| text.to_string())
}

fn nearest_size(wanted: &str, among: &[&str]) -> Option<String> {
    if among.is_empty() || among.contains(&wanted) {
        return Some(wanted.into());
    }
    let (w, h) = size(wanted)?;
    nearest(among, |text| {
        let (x, y) = size(text)?;
        Some((((x / y) / (w / h)).ln().abs(), ((x * y) / (w * h)).ln().abs()))
    })
}

/// The smallest of the sizes that come nearest to a ratio.
fn size_like(wanted: &str, among: &[&str]) -> Option<String> {
    let wanted = ratio(wanted)?;
    nearest(among, |text| {
        let (x, y) = size(text)?;
        Some((((x / y) / wanted).ln().abs(), x * y))
    })
}

fn nearest_ratio(wanted: &str, among: &[&str]) -> Option<String> {
    if among.is_empty() || among.contains(&wanted) {
        return Some(wanted.into());
    }
    let value = ratio(wanted)?;
    nearest(among, |text| Some(((ratio(text)? / value).ln().abs(), 0.0)))
}

fn nearest_resolution(wanted: &str, geometry: &Geometry<'_>) -> Option<String> {
    if geometry.resolutions.is_empty() || geometry.resolutions.contains(&wanted) {
        return Some(wanted.into());
    }
    let step = |text: &str| geometry.ladder.iter().position(|known| known.eq_ignore_ascii_case(text)).map(|at| at as f64);
    let at = step(wanted)?;
    nearest(&geometry.resolutions, |text| step(text).map(|s| ((s - at).abs(), s)))
}
