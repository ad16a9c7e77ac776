//! Text providers and model catalogs.

use super::*;

// API-041, API-195..198
#[test]
fn providers_are_normalised() {
    let provider = json!({"id": " m ", "aliases": [" b ", "b", 1, ""], "envVars": ["K"], "auth": [{"id": "key"}, {"id": "oauth", "label": "Sign in"}],
        "wizard": {"setup": {"methodId": "none"}, "modelPicker": {"methodId": "key"}}, "catalog": {"run": f(7)}, "discovery": {"run": f(8)}});
    let calls = [
        ("registerProvider", object(provider)),
        ("registerProvider", object(json!({"id": "d", "discovery": {"run": f(9)}, "wizard": {"setup": {}, "modelPicker": {}}}))),
    ];
    let registry = World::new().plugin("p", &calls).build();
    assert_eq!(
        said(&registry),
        [
            "warn provider \"m\" setup method \"none\" not found; falling back to available methods",
            "warn provider \"m\" registered both catalog and discovery; using catalog",
            "warn provider \"d\" setup metadata ignored because it has no auth methods",
            "warn provider \"d\" model-picker metadata ignored because it has no auth methods",
            "warn provider \"d\" uses deprecated discovery; use catalog",
        ]
    );
    let entry = registry.provider("b").unwrap();
    assert_eq!((entry.id.as_str(), entry.label.as_str()), ("m", "m"));
    assert_eq!(entry.provider["auth"][0]["label"], "key");
    assert_eq!(entry.provider["wizard"], json!({"setup": {}, "modelPicker": {"methodId": "key"}}));
    assert_eq!(entry.provider.get("discovery"), None);
    assert_eq!(entry.function("/catalog/run").map(|c| c.handle), Some(7));
    assert!(matches!(&registry.model_catalogs[0].live_rows, Some(CatalogSource::Provider(c)) if c.handle == 7));
    let rows = text_rows("m", &json!({"providers": {"x": {"models": [{"id": "a", "name": "A"}, {}]}}}), "live");
    assert_eq!(rows, [json!({"kind": "text", "provider": "x", "model": "a", "label": "A", "source": "live"})]);
}

// API-042, API-050
#[test]
fn catalogs_of_one_plugin_merge_and_media_providers_bring_rows() {
    let calls = [
        ("registerModelCatalogProvider", object(json!({"provider": "m", "kinds": ["text"], "staticCatalog": f(1)}))),
        ("registerModelCatalogProvider", object(json!({"provider": "m", "kinds": ["text", "voice"], "liveCatalog": f(2)}))),
        ("registerImageGenerationProvider", object(json!({"id": "i", "label": "I", "defaultModel": "b", "models": ["a", "b"]}))),
    ];
    let registry = World::new().plugin("p", &calls).build();
    assert_eq!(registry.model_catalogs.len(), 2);
    assert_eq!(registry.model_catalogs[0].kinds, ["text", "voice"]);
    assert!(registry.model_catalogs[0].static_rows.is_some() && registry.model_catalogs[0].live_rows.is_some());
    let Some(CatalogSource::Fixed(rows)) = &registry.model_catalogs[1].static_rows else { panic!("fixed rows") };
    assert_eq!(
        *rows,
        [
            json!({"kind": "image_generation", "provider": "i", "model": "b", "source": "static", "label": "I", "default": true}),
            json!({"kind": "image_generation", "provider": "i", "model": "a", "source": "static", "label": "I"}),
        ]
    );
}
