//! Calls of a provider whose plugin takes part: names resolved by it, per-turn headers and parameters, tokens exchanged before the call,
//! errors explained (PRV-84..131). The wire format stays that of the shared transports.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use chela_models::{
    AuthStore, CancellationToken, ErrorKind, EventStream, FailoverReason, ModelError, ModelRef, ModelRequest, ModelTransport, ProviderAuth,
    ProviderSettings, Secret, http_client, merge_discovered, transport_with_auth,
};
use chela_plugin::registry::CONSUMED_PROVIDER_HOOKS;
use serde_json::{Map, Value, json};

use super::discovery;
use super::hooks::ProviderHooks;

/// Models of one provider that are kept as resolved.
const MOST_KEPT: usize = 256;
/// A token that ends sooner than this is exchanged anew.
const TOKEN_MARGIN_MS: u64 = 60_000;
/// True when a call has to go through the plugin.
pub(super) fn takes_part(hooks: &ProviderHooks) -> bool {
    CONSUMED_PROVIDER_HOOKS.iter().chain(&[STREAM_FN]).any(|hook| hooks.has(hook))
}

/// The hook that replaces the transport; not built, so calls say so.
const STREAM_FN: &str = "createStreamFn";

/// The transport of one provider.
pub(super) struct HookedTransport {
    hooks: ProviderHooks,
    /// The provider as JSON, in the form of the config.
    fields: Value,
    settings: ProviderSettings,
    auth: AuthStore,
    prepared: Mutex<HashMap<String, Arc<Prepared>>>,
    tokens: Mutex<HashMap<String, Token>>,
}

/// A model as the plugin wants it called.
struct Prepared {
    /// The provider with this one model.
    settings: ProviderSettings,
    /// The model as hooks see it.
    model: Value,
    transport: Arc<dyn ModelTransport>,
}

/// An exchanged token.
#[derive(Clone)]
struct Token {
    /// What it was exchanged for.
    from: Option<Secret>,
    key: Secret,
    bearer: bool,
    base_url: Option<String>,
    headers: Vec<(String, String)>,
    expires_at: Option<u64>,
}

/// What a call has before the plugin exchanges it.
struct Credential {
    key: Option<Secret>,
    mode: String,
    profile: Option<String>,
    synthetic: bool,
}

impl HookedTransport {
    pub(super) fn new(hooks: ProviderHooks, fields: Value, settings: ProviderSettings, auth: AuthStore) -> Self {
        Self { hooks, fields, settings, auth, prepared: Mutex::default(), tokens: Mutex::default() }
    }

    /// The model under a name, resolved by the plugin once (PRV-84, PRV-85, PRV-87).
    async fn prepare(&self, wanted: &ModelRef) -> Result<Arc<Prepared>, ModelError> {
        let kept = |key: &str| self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let key = wanted.model.to_ascii_lowercase();
        if let Some(known) = kept(&key) {
            return Ok(known);
        }
        let id = match self.hooks.ask("normalizeModelId", json!({"modelId": wanted.model})).await {
            Some(Value::String(id)) if !id.trim().is_empty() => id.trim().to_string(),
            _ => wanted.model.clone(),
        };
        let listed = self.listed(&id);
        let model = match listed {
            Some(row) => row,
            None => self.dynamic(&id).await?,
        };
        let prepared = Arc::new(self.finish(&id, model).await?);
        let mut all = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_KEPT {
            all.clear();
        }
        all.insert(key, prepared.clone());
        Ok(prepared)
    }

    fn listed(&self, id: &str) -> Option<Value> {
        let rows = self.fields.get("models")?.as_array()?;
        let row = rows.iter().find(|m| m.as_str().or_else(|| m.get("id")?.as_str()).is_some_and(|m| m.eq_ignore_ascii_case(id)))?;
        Some(if row.is_object() { row.clone() } else { json!({"id": id}) })
    }

    /// A model that no list names (PRV-85, PRV-99, PRV-100).
    async fn dynamic(&self, id: &str) -> Result<Value, ModelError> {
        let ctx = json!({"modelId": id, "models": self.fields.get("models"), "providerConfig": self.fields});
        if let Some(Err(error)) = self.hooks.call("prepareDynamicModel", ctx.clone()).await {
            let text = format!("the provider's plugin could not look the model up: {error}");
            return Err(ModelError::new(ErrorKind::ModelNotFound, &self.name(id), text));
        }
        let found = self.hooks.ask("resolveDynamicModel", ctx).await.filter(Value::is_object);
        Ok(found.unwrap_or_else(|| json!({"id": id})))
    }

    fn name(&self, model: &str) -> ModelRef {
        ModelRef { provider: self.settings.id.clone(), model: model.to_string() }
    }

    /// The last word on a resolved model (PRV-87, PRV-88, PRV-92, PRV-101, PRV-102).
    async fn finish(&self, id: &str, row: Value) -> Result<Prepared, ModelError> {
        let mut model = self.whole(id, row);
        let ctx = |model: &Value| json!({"modelId": id, "model": model});
        if let Some(next) = self.hooks.ask("normalizeResolvedModel", ctx(&model)).await.filter(Value::is_object) {
            model = self.whole(id, next);
        }
        if let Some(Value::Object(patch)) = self.hooks.ask("contributeResolvedModelCompat", ctx(&model)).await {
            let mut compat = model.get("compat").and_then(Value::as_object).cloned().unwrap_or_default();
            compat.extend(patch);
            model["compat"] = compat.into();
        }
        let transport = json!({"modelId": id, "api": model.get("api"), "baseUrl": model.get("baseUrl")});
        if let Some(patch) = self.hooks.ask("normalizeTransport", transport).await {
            for member in ["api", "baseUrl"] {
                if let Some(text) = patch.get(member).and_then(Value::as_str).filter(|t| !t.is_empty()) {
                    model[member] = text.into();
                }
            }
        }
        let mut fields = self.fields.clone();
        fields["models"] = json!([model]);
        let bad = || ModelError::new(ErrorKind::Invalid, &self.name(id), "the plugin describes the model in a form that cannot be used");
        let settings =
            discovery::settings(&self.settings.id, &fields, |s| s.env_vars.clone_from(&self.settings.env_vars)).ok_or_else(bad)?;
        let transport = transport_with_auth(&settings, &http_client(), &self.auth)?;
        Ok(Prepared { settings, model, transport })
    }

    /// A row with what it inherits from the provider.
    fn whole(&self, id: &str, row: Value) -> Value {
        let mut model = merge_discovered(
            &json!({"id": id, "name": id, "api": self.settings.api.as_str(), "baseUrl": self.settings.base_url}),
            Some(&row),
            false,
        );
        model["provider"] = self.settings.id.clone().into();
        model
    }

    /// The settings of one call, when the plugin changes any.
    async fn changed(&self, prepared: &Prepared, request: &ModelRequest) -> Result<Option<(ProviderSettings, AuthStore)>, ModelError> {
        let mut settings = prepared.settings.clone();
        let (mut changed, mut auth) = (false, self.auth.clone());
        let model = request.model.model.clone();
        let mut params = settings.params.clone();
        params.extend(settings.models.first().map(|m| m.params.clone()).unwrap_or_default());
        let thinking = request.thinking.map(chela_models::ThinkingLevel::as_str);
        let ctx = json!({"modelId": model, "model": prepared.model, "extraParams": params, "thinkingLevel": thinking});
        if let Some(Value::Object(given)) = self.hooks.ask("prepareExtraParams", ctx).await {
            params = given;
            changed = true;
        }
        let turn = json!({
            "modelId": model, "model": prepared.model, "sessionId": request.session_id, "attempt": 1, "transport": "stream",
            "turnId": uuid::Uuid::new_v4().to_string(),
        });
        if let Some(state) = self.hooks.ask("resolveTransportTurnState", turn).await {
            for (name, value) in texts(state.get("headers")) {
                settings.models.iter_mut().for_each(|m| drop(m.headers.insert(name.clone(), value.clone())));
            }
            if let Some(Value::Object(metadata)) = state.get("metadata") {
                add_metadata(&mut params, metadata);
            }
            changed = true;
        }
        settings.params.clear();
        settings.models.iter_mut().for_each(|m| m.params.clone_from(&params));
        if let Some(token) = self.token(prepared, request).await? {
            settings.auth = if token.bearer { ProviderAuth::Token } else { ProviderAuth::ApiKey };
            settings.api_key = Some(token.key);
            if let Some(url) = token.base_url {
                settings.models.iter_mut().for_each(|m| m.base_url = None);
                settings.base_url = url.trim_end_matches('/').to_string();
            }
            for (name, value) in token.headers {
                settings.models.iter_mut().for_each(|m| drop(m.headers.insert(name.clone(), value.clone())));
            }
            // The token is the only credential of this call.
            auth = AuthStore::default();
            changed = true;
        }
        Ok(changed.then_some((settings, auth)))
    }

    /// The credential that the plugin makes of the stored one (PRV-96, PRV-123).
    async fn token(&self, prepared: &Prepared, request: &ModelRequest) -> Result<Option<Token>, ModelError> {
        let Credential { key, mode, profile, synthetic } = self.credential(prepared, request).await?;
        let plain =
            |key: Secret| Token { from: None, key, bearer: mode != "api-key", base_url: None, headers: Vec::new(), expires_at: None };
        if !self.hooks.has("prepareRuntimeAuth") {
            return Ok(if synthetic { key.map(plain) } else { None });
        }
        if let Some(kept) = self.kept_token(&request.model.model, key.as_ref()) {
            return Ok(Some(kept));
        }
        let secret = key.as_ref().map(Secret::expose);
        let ctx =
            json!({"modelId": request.model.model, "model": prepared.model, "apiKey": secret, "authMode": mode, "profileId": profile});
        let made = match self.hooks.call("prepareRuntimeAuth", ctx).await {
            None => return Ok(if synthetic { key.map(plain) } else { None }),
            Some(Ok(made)) => made,
            Some(Err(error)) => {
                let text = format!("the provider's plugin could not exchange the credential: {error}");
                return Err(ModelError::new(ErrorKind::Auth, &request.model, text));
            }
        };
        let Some(text) = made.get("apiKey").and_then(Value::as_str).filter(|k| !k.is_empty()) else {
            return Ok(if synthetic { key.map(plain) } else { None });
        };
        let token = Token {
            from: key,
            key: Secret::new(text),
            bearer: mode != "api-key",
            base_url: made.get("baseUrl").and_then(Value::as_str).map(str::to_string),
            headers: texts(made.pointer("/request/headers")),
            expires_at: made.get("expiresAt").and_then(Value::as_u64),
        };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MOST_KEPT {
            tokens.clear();
        }
        tokens.insert(request.model.model.clone(), token.clone());
        Ok(Some(token))
    }

    /// The stored credential, else one that the plugin makes up for its local server (PRV-96).
    async fn credential(&self, prepared: &Prepared, request: &ModelRequest) -> Result<Credential, ModelError> {
        let hint = match self.auth.resolve(&prepared.settings, request.agent_id.as_deref(), request.auth_profile.as_deref()) {
            Ok(found) => {
                let (key, mode, profile) = (found.api_key, found.mode.to_string(), found.profile_id);
                return Ok(Credential { key, mode, profile, synthetic: false });
            }
            Err(hint) => hint,
        };
        let ctx = json!({"providerConfig": self.fields, "modelId": request.model.model});
        let made = self.hooks.ask("resolveSyntheticAuth", ctx).await.unwrap_or_default();
        let text = |member: &str| made.get(member).and_then(Value::as_str).filter(|t| !t.is_empty());
        let Some(key) = text("apiKey") else { return Err(ModelError::new(ErrorKind::Auth, &request.model, hint)) };
        let mode = text("mode").unwrap_or("api-key").to_string();
        Ok(Credential { key: Some(Secret::new(key)), mode, profile: None, synthetic: true })
    }

    /// A token that still holds; one without an end is exchanged for every call.
    fn kept_token(&self, model: &str, from: Option<&Secret>) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.get(model)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let good = token.expires_at.is_some_and(|end| end > now + TOKEN_MARGIN_MS) && token.from.as_ref() == from;
        good.then(|| token.clone())
    }

    /// What the plugin knows about a failure (PRV-115, PRV-116, PRV-118).
    async fn explain(&self, mut error: ModelError) -> ModelError {
        let model = error.model.to_string();
        let unlisted = self.settings.models.is_empty();
        match error.kind {
            ErrorKind::Auth if error.status.is_none() && unlisted => {
                if let Some(Value::String(text)) = self.hooks.ask("buildMissingAuthMessage", json!({"modelId": model})).await {
                    error.message = text;
                }
            }
            ErrorKind::ModelNotFound => {
                if let Some(Value::String(hint)) = self.hooks.ask("buildUnknownModelHint", json!({"modelId": model})).await {
                    error.message = format!("{}; {hint}", error.message);
                }
            }
            // Only what the general rules could not tell.
            ErrorKind::Invalid => {
                let ctx = json!({"modelId": model, "errorMessage": error.message, "status": error.status});
                if self.hooks.ask("matchesContextOverflowError", ctx.clone()).await == Some(Value::Bool(true)) {
                    error.kind = ErrorKind::ContextLength;
                    error.reason = None;
                } else if let Some(Value::String(word)) = self.hooks.ask("classifyFailoverReason", ctx).await
                    && let Some(reason) = FailoverReason::parse(&word)
                {
                    error.reason = Some(reason);
                }
            }
            _ => {}
        }
        error
    }

    async fn start(&self, mut request: ModelRequest, cancel: CancellationToken) -> Result<EventStream, ModelError> {
        if self.hooks.has(STREAM_FN) {
            let text = "the provider brings a stream function of its own (`createStreamFn`), which is not built";
            return Err(ModelError::new(ErrorKind::Unsupported, &request.model, text));
        }
        let prepared = self.prepare(&request.model).await?;
        if let Some(row) = prepared.settings.models.first() {
            request.model.model.clone_from(&row.id);
        }
        match self.changed(&prepared, &request).await? {
            None => prepared.transport.stream(request, cancel).await,
            Some((settings, auth)) => transport_with_auth(&settings, &http_client(), &auth)?.stream(request, cancel).await,
        }
    }
}

#[async_trait::async_trait]
impl ModelTransport for HookedTransport {
    async fn stream(&self, request: ModelRequest, cancel: CancellationToken) -> Result<EventStream, ModelError> {
        let model = request.model.clone();
        let started = tokio::select! {
            started = self.start(request, cancel.clone()) => started,
            () = cancel.cancelled() => Err(ModelError::aborted(&model)),
        };
        match started {
            Ok(stream) => Ok(stream),
            Err(error) => Err(self.explain(error).await),
        }
    }
}

fn texts(object: Option<&Value>) -> Vec<(String, String)> {
    let members = object.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_string()))).collect()
}

/// Metadata travels in the request's body.
fn add_metadata(params: &mut Map<String, Value>, metadata: &Map<String, Value>) {
    let body = params.entry("extra_body").or_insert_with(|| json!({}));
    if let Some(body) = body.as_object_mut() {
        let known = body.entry("metadata").or_insert_with(|| json!({}));
        if let Some(known) = known.as_object_mut() {
            known.extend(metadata.clone());
        }
    }
}
