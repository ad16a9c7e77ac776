// Settings of the channels that the reference carries schemas for. The schemas are data; zod is loaded by the first one that is used.
import { createRequire } from 'node:module';
import { isRecord, normalizeOptionalString, normalizeStringEntries } from './strings.js';
import { zod } from './zod-lazy.js';

let data;
function source() {
  data ??= createRequire(import.meta.url)('./data/channel-schemas.json');
  return data;
}

const STRING_OR_NUMBER = (node) => node.anyOf?.length === 2 && node.anyOf[0].type === 'string' && node.anyOf[1].type === 'number';

/** Discord's ids are larger than numbers are exact: small ones become texts, others are refused. */
function discordId(z) {
  const exact = (value) => typeof value === 'string' || (Number.isSafeInteger(value) && value >= 0);
  return z
    .union([z.string(), z.number()])
    .refine(exact, { error: (issue) => `Discord ID "${String(issue.input)}" is not exact as a number; write it in quotes` })
    .transform(String);
}

/** Builds the zod schema of one node; `part` nodes once per channel. */
function builder(z, { parts }, override) {
  const built = new Map();
  const build = (node) => {
    const own = override?.(node);
    if (own) return own;
    if (node.part !== undefined) {
      if (!built.has(node.part)) built.set(node.part, build(parts[node.part]));
      return built.get(node.part);
    }
    const schema = bare(node);
    return node.default === undefined ? schema : schema.default(node.default);
  };
  const bare = (node) => {
    if (node.const !== undefined) return z.literal(node.const);
    if (node.enum) return z.enum(node.enum);
    if (node.anyOf || node.oneOf) return z.union((node.anyOf ?? node.oneOf).map(build));
    if (node.type === 'object') return object(node);
    if (node.type === 'array') return bounded(z.array(build(node.items)), node, [['minItems', 'min'], ['maxItems', 'max']]);
    if (node.type === 'string') return text(node);
    if (node.type === 'boolean') return z.boolean();
    if (node.type === 'number' || node.type === 'integer') {
      const number = node.type === 'integer' ? z.number().int() : z.number();
      return bounded(number, node, [['minimum', 'gte'], ['exclusiveMinimum', 'gt'], ['maximum', 'lte'], ['exclusiveMaximum', 'lt']]);
    }
    return z.any();
  };
  const bounded = (schema, node, limits) => limits.reduce((made, [key, method]) => (node[key] === undefined ? made : made[method](node[key])), schema);
  const text = (node) => {
    const plain = bounded(node.format === 'uri' ? z.url() : z.string(), node, [['minLength', 'min'], ['maxLength', 'max']]);
    return node.pattern ? plain.regex(new RegExp(node.pattern, 'u')) : plain;
  };
  const object = (node) => {
    if (!node.properties) return z.record(z.string(), isRecord(node.additionalProperties) ? build(node.additionalProperties).optional() : z.any());
    const required = new Set(node.required ?? []);
    const shape = Object.fromEntries(Object.entries(node.properties).map(([name, inner]) => {
      const schema = build(inner);
      return [name, required.has(name) ? schema : schema.optional()];
    }));
    if (node.additionalProperties === false) return z.strictObject(shape);
    return isRecord(node.additionalProperties) ? z.object(shape).catchall(build(node.additionalProperties)) : z.object(shape);
  };
  return build;
}

/** The JSON Schema of a channel with its parts put in. */
function expand(node) {
  if (Array.isArray(node)) return node.map(expand);
  if (!isRecord(node)) return node;
  if (typeof node.part === 'number') return expand(source().parts[node.part]);
  return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, expand(inner)]));
}

/** A policy needs its list: `open` one with `*`, `allowlist` one with anybody. Adds an issue otherwise. */
function needList(kind, { policy, allowFrom, ctx, path, message }) {
  const entries = normalizeStringEntries(allowFrom ?? []);
  const fits = kind === 'open' ? entries.includes('*') : entries.length > 0;
  if (policy === kind && !fits) ctx.addIssue({ code: 'custom', path, message });
}
/** @param {{policy?: string, allowFrom?: any[], ctx: any, path: (string|number)[], message: string}} params @returns {void} */
export const requireOpenAllowFrom = (params) => needList('open', params);
/** @param {{policy?: string, allowFrom?: any[], ctx: any, path: (string|number)[], message: string}} params @returns {void} */
export const requireAllowlistAllowFrom = (params) => needList('allowlist', params);

function checkDirect(ctx, channel, { policy, allowFrom, path, policyName, listNames }) {
  const [first, other] = listNames;
  const list = other ? `${first} (or ${other})` : first;
  const params = { policy, allowFrom, ctx, path };
  requireOpenAllowFrom({ ...params, message: `channels.${channel}.${policyName}="open" requires ${list} to include "*"` });
  requireAllowlistAllowFrom({ ...params, message: `channels.${channel}.${policyName}="allowlist" requires ${list} to contain at least one sender ID` });
}

/** Checks direct messages of the section and of each account; accounts inherit. `nested` channels also know `dm.policy`, `dm.allowFrom`. */
function directRules(channel, { nested = false, defaultAccount = false } = {}) {
  const policyOf = (entry) => entry?.dmPolicy ?? (nested ? entry?.dm?.policy : undefined);
  const listOf = (entry) => entry?.allowFrom ?? (nested ? entry?.dm?.allowFrom : undefined);
  return (value, ctx) => {
    const fallback = nested ? 'pairing' : undefined;
    checkDirect(ctx, channel, {
      policy: policyOf(value) ?? fallback,
      allowFrom: listOf(value),
      path: nested && value.allowFrom === undefined ? ['dm', 'allowFrom'] : ['allowFrom'],
      policyName: 'dmPolicy',
      listNames: [`channels.${channel}.allowFrom`, ...(nested ? [`channels.${channel}.dm.allowFrom`] : [])],
    });
    const shared = defaultAccount ? value.accounts?.default : undefined;
    for (const [id, account] of Object.entries(value.accounts ?? {})) {
      if (!account) continue;
      const between = id === 'default' ? undefined : shared;
      checkDirect(ctx, channel, {
        policy: policyOf(account) ?? policyOf(between) ?? policyOf(value) ?? fallback,
        allowFrom: listOf(account) ?? listOf(between) ?? listOf(value),
        path: ['accounts', id, 'allowFrom'],
        policyName: 'accounts.*.dmPolicy',
        listNames: [`channels.${channel}.accounts.*.allowFrom`, `channels.${channel}.allowFrom`],
      });
    }
  };
}

const fail = (ctx, path, message) => ctx.addIssue({ code: 'custom', path, message });

function discordRules(value, ctx, path = []) {
  const [activity, url] = [normalizeOptionalString(value.activity), normalizeOptionalString(value.activityUrl)];
  if ((value.activityType !== undefined || url) && !activity) fail(ctx, [...path, 'activity'], 'channels.discord.activity is required when activityType or activityUrl is set');
  if (value.activityType === 1 && !url) fail(ctx, [...path, 'activityUrl'], 'channels.discord.activityUrl is required when activityType is 1 (Streaming)');
  if (url && value.activityType !== 1) fail(ctx, [...path, 'activityType'], 'channels.discord.activityType must be 1 (Streaming) when activityUrl is set');
  const { intervalMs, minUpdateIntervalMs } = value.autoPresence ?? {};
  if (minUpdateIntervalMs > intervalMs) fail(ctx, [...path, 'autoPresence', 'minUpdateIntervalMs'], 'channels.discord.autoPresence.minUpdateIntervalMs must not exceed channels.discord.autoPresence.intervalMs');
  if (value.voice?.agentSession?.mode === 'target' && !value.voice.agentSession.target) fail(ctx, [...path, 'voice', 'agentSession', 'target'], 'voice.agentSession.target is required when mode is "target"');
  if (path.length === 0) for (const [id, account] of Object.entries(value.accounts ?? {})) if (account) discordRules(account, ctx, ['accounts', id]);
}

function hostOf(url) {
  const parsed = url?.trim() && URL.canParse(url.trim()) ? new URL(url.trim()) : undefined;
  return parsed?.protocol === 'https:' ? parsed.hostname.toLowerCase() : undefined;
}

const TEAMS_HOSTS = ['smba.trafficmanager.net', 'smba.infra.gcc.teams.microsoft.com', 'smba.infra.gov.teams.microsoft.us', 'smba.infra.dod.teams.microsoft.us', 'botframework.azure.cn'];

function teamsRules(value, ctx) {
  const host = hostOf(value.serviceUrl);
  const known = host && TEAMS_HOSTS.some((allowed) => host === allowed || host.endsWith(`.${allowed}`));
  if (value.serviceUrl !== undefined && !known) fail(ctx, ['serviceUrl'], 'channels.msteams.serviceUrl must be an https address of a Microsoft Teams connector');
  const china = host === 'botframework.azure.cn' || host?.endsWith('.botframework.azure.cn') === true;
  if (value.sso?.enabled === true && !value.sso.connectionName?.trim()) fail(ctx, ['sso', 'connectionName'], 'channels.msteams.sso.enabled=true requires channels.msteams.sso.connectionName');
  if (value.cloud && !['Public', 'China'].includes(value.cloud) && !value.serviceUrl?.trim()) fail(ctx, ['serviceUrl'], 'channels.msteams.cloud requires channels.msteams.serviceUrl for non-public Teams clouds');
  if (value.serviceUrl?.trim() && (value.cloud === 'China') !== china) fail(ctx, ['serviceUrl'], 'channels.msteams.cloud=China and a channels.msteams.serviceUrl of Azure China go together');
}

function googleChatRules(value, ctx, path = []) {
  if (value.dm) {
    checkDirect(ctx, 'googlechat', { policy: value.dm.policy, allowFrom: value.dm.allowFrom, path: [...path, 'dm', 'allowFrom'], policyName: 'dm.policy', listNames: ['channels.googlechat.dm.allowFrom'] });
  }
  if (path.length === 0) for (const [id, account] of Object.entries(value.accounts ?? {})) if (account) googleChatRules(account, ctx, ['accounts', id]);
}

const all = (...rules) => (value, ctx) => rules.forEach((rule) => rule(value, ctx));

/** A schema that is built when something of it is asked for. Its JSON Schema needs no zod. */
function lazySchema(name, rules, { override, prepare } = {}) {
  let schema;
  const make = () => {
    const z = zod();
    const object = builder(z, source(), override?.(z))(source().channels[name]).superRefine(rules);
    return prepare ? z.preprocess(prepare, object) : object;
  };
  const built = () => (schema ??= make());
  const toJSONSchema = () => expand(source().channels[name]);
  return new Proxy({}, {
    get(_target, key) {
      if (key === 'toJSONSchema') return toJSONSchema;
      const value = Reflect.get(built(), key);
      return typeof value === 'function' && key !== 'constructor' ? value.bind(built()) : value;
    },
    has: (_target, key) => Reflect.has(built(), key),
    getPrototypeOf: () => Reflect.getPrototypeOf(built()),
  });
}

function withoutErrorText(value) {
  if (!isRecord(value)) return value;
  const { exposeErrorText: _gone, ...rest } = value;
  return isRecord(rest.accounts) ? { ...rest, accounts: Object.fromEntries(Object.entries(rest.accounts).map(([id, account]) => [id, withoutErrorText(account)])) } : rest;
}

export const DiscordConfigSchema = lazySchema('Discord', all(directRules('discord', { nested: true }), discordRules), {
  override: (z) => {
    const id = discordId(z);
    return (node) => (STRING_OR_NUMBER(node) ? id : undefined);
  },
});
export const GoogleChatConfigSchema = lazySchema('GoogleChat', googleChatRules);
export const IMessageConfigSchema = lazySchema('IMessage', directRules('imessage'));
export const MSTeamsConfigSchema = lazySchema('MSTeams', all(directRules('msteams'), teamsRules));
export const SignalConfigSchema = lazySchema('Signal', directRules('signal'));
export const SlackConfigSchema = lazySchema('Slack', directRules('slack', { nested: true }));
export const TelegramConfigSchema = lazySchema('Telegram', directRules('telegram'));
export const WhatsAppConfigSchema = lazySchema('WhatsApp', directRules('whatsapp', { defaultAccount: true }), { prepare: withoutErrorText });
