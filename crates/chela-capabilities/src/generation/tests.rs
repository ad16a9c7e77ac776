//! Sizes, ratios and resolutions.

use serde_json::json;

use super::Fitted;
use super::geometry::{Geometry, fit};

// PRV-317
#[test]
fn geometry_is_snapped_translated_or_left_out() {
    let both = Geometry {
        sizes: vec!["1024x1024", "1536x1024"],
        ratios: vec!["1:1", "16:9", "3:2"],
        resolutions: vec!["1K", "4K"],
        takes_size: true,
        takes_ratio: true,
        takes_resolution: true,
        ladder: &["1K", "2K", "4K"],
    };
    let sizes = Geometry { takes_ratio: false, takes_resolution: false, ..both.clone() };
    let ratios = Geometry { takes_size: false, ..both.clone() };
    let none = Geometry::default();
    let open = Geometry { takes_size: true, takes_ratio: true, ..Geometry::default() };
    let cases = [
        (&both, json!({"size": "1024x1024", "aspectRatio": "16:9"}), json!({"size": "1024x1024", "aspectRatio": "16:9"}), json!([])),
        (&both, json!({"size": "1400x1000", "resolution": "2K"}), json!({"size": "1536x1024", "resolution": "1K"}), json!([])),
        (&both, json!({"size": "big", "resolution": "9K"}), json!({}), json!(["size", "resolution"])),
        (&sizes, json!({"aspectRatio": "3:2", "resolution": "1K"}), json!({"size": "1536x1024"}), json!(["resolution"])),
        (&sizes, json!({"size": "10x10", "aspectRatio": "3:2"}), json!({"size": "1024x1024"}), json!(["aspectRatio"])),
        (&ratios, json!({"size": "1920x1080"}), json!({"aspectRatio": "16:9"}), json!([])),
        (&ratios, json!({"size": "1920x1080", "aspectRatio": "2:2"}), json!({"aspectRatio": "1:1"}), json!(["size"])),
        (&none, json!({"size": "1x1", "aspectRatio": "1:1", "resolution": "1K"}), json!({}), json!(["size", "aspectRatio", "resolution"])),
        (&open, json!({"size": "7x5", "aspectRatio": "7:5"}), json!({"size": "7x5", "aspectRatio": "7:5"}), json!([])),
        (&open, json!({"size": "  "}), json!({}), json!([])),
    ];
    for (geometry, params, members, ignored) in cases {
        let mut fitted = Fitted::default();
        fit(geometry, &params, &mut fitted);
        let keys: Vec<_> = fitted.ignored.iter().map(|o| o["key"].clone()).collect();
        assert_eq!((json!(fitted.members), json!(keys)), (members, ignored), "{params}");
    }
}
