//! Auth and setup descriptors (MAN-146..MAN-165).

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::normalise::{boolean, non_empty, number, record, records, string, strings, strings_in};

/// The `setup` block (MAN-160..MAN-165).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setup {
    /// Providers that setup can configure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<SetupProvider>,
    /// CLI backends that setup can configure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cli_backends: Vec<String>,
    /// Names of config migrations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_migrations: Vec<String>,
    /// Whether setup code may or should run (MAN-165).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_runtime: Option<bool>,
}

/// One provider of the `setup` block (MAN-160).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupProvider {
    /// Provider id.
    pub id: String,
    /// Auth method names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auth_methods: Vec<String>,
    /// Environment variables that hold a credential.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_vars: Vec<String>,
    /// Files that prove a login without reading a secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auth_evidence: Vec<AuthEvidence>,
}

/// A local file that counts as evidence of a login (MAN-161, MAN-162).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthEvidence {
    /// Always `local-file-with-env`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Environment variable that names the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_env_var: Option<String>,
    /// Paths to try; `${HOME}` and `${APPDATA}` are expanded by the reader.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback_paths: Vec<String>,
    /// At least one of these must be set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires_any_env: Vec<String>,
    /// All of these must be set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires_all_env: Vec<String>,
    /// Marker that stands for the credential.
    pub credential_marker: String,
    /// Where the credential comes from, for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// One onboarding choice (MAN-153..MAN-159).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthChoice {
    /// Provider id.
    pub provider: String,
    /// Auth method.
    pub method: String,
    /// Id of the choice.
    pub choice_id: String,
    /// The other string fields, by their manifest names: `choiceLabel choiceHint groupId groupLabel
    /// groupHint optionKey cliFlag cliOption cliDescription` (MAN-154).
    #[serde(flatten)]
    pub texts: Map<String, Value>,
    /// `visible` or `manual-only` (MAN-155).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistant_visibility: Option<String>,
    /// Lower first (MAN-156).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistant_priority: Option<Number>,
    /// Former choice ids (MAN-157).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deprecated_choice_ids: Vec<String>,
    /// `text-inference`, `image-generation`; empty means text inference (MAN-158).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub onboarding_scopes: Vec<String>,
    /// Only `true` is kept (MAN-159).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub onboarding_featured: bool,
}

impl AuthChoice {
    /// `choiceLabel`, falling back to the choice id (MAN-154).
    pub fn label(&self) -> &str {
        self.texts.get("choiceLabel").and_then(Value::as_str).unwrap_or(&self.choice_id)
    }
}

const CHOICE_TEXTS: [&str; 9] =
    ["choiceLabel", "choiceHint", "groupId", "groupLabel", "groupHint", "optionKey", "cliFlag", "cliOption", "cliDescription"];

pub(crate) fn read_choices(value: Option<&Value>) -> Vec<AuthChoice> {
    records(value).filter_map(read_choice).collect()
}

fn read_choice(item: &Map<String, Value>) -> Option<AuthChoice> {
    let at = |key: &str| item.get(key);
    let texts = CHOICE_TEXTS.iter().filter_map(|key| Some(((*key).to_owned(), Value::from(string(at(key))?))));
    Some(AuthChoice {
        provider: string(at("provider"))?,
        method: string(at("method"))?,
        choice_id: string(at("choiceId"))?,
        texts: texts.collect(),
        assistant_visibility: at("assistantVisibility")
            .and_then(Value::as_str)
            .filter(|text| matches!(*text, "visible" | "manual-only"))
            .map(str::to_owned),
        assistant_priority: number(at("assistantPriority"), f64::is_finite),
        deprecated_choice_ids: strings(at("deprecatedChoiceIds")),
        onboarding_scopes: strings_in(at("onboardingScopes"), &["text-inference", "image-generation"]),
        onboarding_featured: at("onboardingFeatured") == Some(&Value::Bool(true)),
    })
}

pub(crate) fn read_setup(value: Option<&Value>) -> Option<Setup> {
    let block = record(value)?;
    non_empty(Setup {
        providers: records(block.get("providers")).filter_map(read_provider).collect(),
        cli_backends: strings(block.get("cliBackends")),
        config_migrations: strings(block.get("configMigrations")),
        requires_runtime: boolean(block.get("requiresRuntime")),
    })
}

fn read_provider(item: &Map<String, Value>) -> Option<SetupProvider> {
    Some(SetupProvider {
        id: string(item.get("id"))?,
        auth_methods: strings(item.get("authMethods")),
        env_vars: strings(item.get("envVars")),
        auth_evidence: records(item.get("authEvidence")).filter_map(read_evidence).collect(),
    })
}

fn read_evidence(item: &Map<String, Value>) -> Option<AuthEvidence> {
    let kind = item.get("type").and_then(Value::as_str)?;
    if kind != "local-file-with-env" {
        return None;
    }
    let evidence = AuthEvidence {
        kind: kind.to_owned(),
        file_env_var: string(item.get("fileEnvVar")),
        fallback_paths: strings(item.get("fallbackPaths")),
        requires_any_env: strings(item.get("requiresAnyEnv")),
        requires_all_env: strings(item.get("requiresAllEnv")),
        credential_marker: string(item.get("credentialMarker"))?,
        source: string(item.get("source")),
    };
    let has_file = evidence.file_env_var.is_some() || !evidence.fallback_paths.is_empty();
    has_file.then_some(evidence)
}
