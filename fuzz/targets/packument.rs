//! The registry's document of a package, and the ranges in it. A registry is not trusted more than any stranger.
#![no_main]

// The two files alone, since the rest of their crate brings a TLS library and more, which would be built anew for this.
#[allow(dead_code)]
#[path = "../../crates/chela-npm/src/packument.rs"]
mod packument;
#[allow(dead_code)]
#[path = "../../crates/chela-npm/src/range.rs"]
mod range;

use libfuzzer_sys::fuzz_target;
use packument::Packument;
use range::Range;

fuzz_target!(|data: &[u8]| {
    let Ok(document) = Packument::parse("a", data) else { return };
    let versions: Vec<_> = document.versions().map(|(key, version)| (key.to_owned(), version.clone())).collect();
    assert!(versions.windows(2).all(|pair| pair[0].1 >= pair[1].1), "the newest comes first");
    for (key, _) in versions.iter().take(8) {
        let Some(manifest) = document.manifest(key) else { continue };
        assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("a", key.as_str()));
        let needs = &manifest.needs;
        for text in [&needs.dependencies, &needs.optional, &needs.peers, &needs.optional_peers].into_iter().flat_map(|map| map.values()) {
            let Some(range) = Range::parse(text) else { continue };
            for (_, version) in versions.iter().take(8) {
                // Leaving prereleases out never lets more in.
                assert!(!range.satisfies(version) || range.satisfies_with_prerelease(version), "{text} {version}");
            }
            assert!(range.overlaps(&range) == range.overlaps(&range));
        }
    }
});
