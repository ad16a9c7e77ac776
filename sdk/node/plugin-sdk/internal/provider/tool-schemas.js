// What services refuse in the schemas of tools, and the schemas without it.
import { cleanSchemaForGemini, GEMINI_UNSUPPORTED_SCHEMA_KEYWORDS } from './gemini-schema.js';

const isNode = (value) => Boolean(value) && typeof value === 'object';
const isPlain = (value) => isNode(value) && !Array.isArray(value);

/**
 * A schema without keywords. Names of properties are not keywords.
 * @param {any} schema @param {Set<string>} unsupportedKeywords @returns {any}
 */
export function stripUnsupportedSchemaKeywords(schema, unsupportedKeywords) {
  if (!isNode(schema)) return schema;
  const inner = (value) => stripUnsupportedSchemaKeywords(value, unsupportedKeywords);
  if (Array.isArray(schema)) return schema.map(inner);
  const kept = Object.entries(schema).filter(([key]) => !unsupportedKeywords.has(key));
  return Object.fromEntries(kept.map(([key, value]) => {
    if (key === 'properties' && isPlain(value)) return [key, Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, inner(entry)]))];
    const nested = key === 'items' || (['anyOf', 'oneOf', 'allOf'].includes(key) && Array.isArray(value));
    return [key, nested ? inner(value) : value];
  }));
}

/** Goes through the schemas inside a schema: properties first, then everything else that is a value of its own. */
function inside(schema, path, look) {
  const found = [];
  if (isPlain(schema.properties)) for (const [name, value] of Object.entries(schema.properties)) found.push(...look(value, `${path}.properties.${name}`));
  return found;
}

/**
 * Where a schema uses keywords.
 * @param {any} schema @param {string} path @param {Set<string>} unsupportedKeywords @returns {string[]}
 */
export function findUnsupportedSchemaKeywords(schema, path, unsupportedKeywords) {
  if (!isNode(schema)) return [];
  const look = (value, at) => findUnsupportedSchemaKeywords(value, at, unsupportedKeywords);
  if (Array.isArray(schema)) return schema.flatMap((entry, index) => look(entry, `${path}[${index}]`));
  const found = inside(schema, path, look);
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') continue;
    if (unsupportedKeywords.has(key)) found.push(`${path}.${key}`);
    found.push(...look(value, `${path}.${key}`));
  }
  return found;
}

/**
 * Where a schema breaks the rules of OpenAI's strict mode: no unions, every property required, nothing besides.
 * @param {any} schema @param {string} path @param {{requireObjectRoot?: boolean}} [options] @returns {string[]}
 */
export function findOpenAIStrictSchemaViolations(schema, path, options) {
  if (!isPlain(schema) && options?.requireObjectRoot) return [`${path}.type`];
  if (!isNode(schema)) return [];
  const look = (value, at) => findOpenAIStrictSchemaViolations(value, at);
  if (Array.isArray(schema)) return schema.flatMap((entry, index) => look(entry, `${path}[${index}]`));
  const found = ['anyOf', 'oneOf', 'allOf', 'type'].filter((key) => Array.isArray(schema[key])).map((key) => `${path}.${key}`);
  if (schema.type === 'object') {
    if (schema.additionalProperties !== false) found.push(`${path}.additionalProperties`);
    if (!Array.isArray(schema.required)) found.push(`${path}.required`);
    else if (isPlain(schema.properties)) found.push(...Object.keys(schema.properties).filter((name) => !schema.required.includes(name)).map((name) => `${path}.required.${name}`));
  }
  found.push(...inside(schema, path, look));
  for (const [key, value] of Object.entries(schema)) if (key !== 'properties') found.push(...look(value, `${path}.${key}`));
  return found;
}

/** Keywords that hold schemas by name, and keywords that hold schemas. */
const MAPS = new Set(['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties']);
const NESTED = new Set('additionalProperties allOf anyOf contains else if items not oneOf prefixItems propertyNames then unevaluatedItems unevaluatedProperties'.split(' '));

/** Applies a function to the values, and gives the same thing back when none of them changed. */
function mapped(holder, change) {
  const entries = Object.entries(holder).map(([key, value]) => [key, change(value, key)]);
  if (entries.every(([key, value]) => value === holder[key])) return holder;
  return Array.isArray(holder) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

/** Says what an object schema leaves out: its type, its properties, and that an object without properties takes none. */
function explicit(schema, top) {
  if (!isNode(schema)) return schema;
  if (Array.isArray(schema)) return mapped(schema, (entry) => explicit(entry, false));
  const inner = mapped(schema, (value, key) => {
    if (MAPS.has(key)) return isPlain(value) ? mapped(value, (entry) => explicit(entry, false)) : value;
    return NESTED.has(key) ? explicit(value, false) : value;
  });
  if (Object.keys(inner).length === 0) return top ? { type: 'object', properties: {}, required: [], additionalProperties: false } : schema;
  const added = {};
  if (!('type' in inner) && (isPlain(inner.properties) || Array.isArray(inner.required))) added.type = 'object';
  if ((added.type ?? inner.type) !== 'object') return inner;
  if (!('properties' in inner)) added.properties = {};
  const properties = added.properties ?? inner.properties;
  if (isPlain(properties) && Object.keys(properties).length === 0) {
    if (!Array.isArray(inner.required)) added.required = [];
    if (!('additionalProperties' in inner)) added.additionalProperties = false;
  }
  return Object.keys(added).length > 0 ? { ...inner, ...added } : inner;
}

const lower = (value) => (value ?? '').trim().toLowerCase();

/** Whether the call goes to OpenAI's own responses service. */
function isOpenAIResponses(ctx) {
  const [provider, api, baseUrl] = [lower(ctx.model?.provider ?? ctx.provider), lower(ctx.model?.api ?? ctx.modelApi), lower(ctx.model?.baseUrl)];
  const own = !baseUrl || /^https:\/\/api\.openai\.com(?:\/v1)?(?:\/|$)/.test(baseUrl);
  if (provider === 'openai') return api === 'openai-responses' && own;
  return provider === 'openai-codex' && api === 'openai-codex-responses' && (own || /^https:\/\/chatgpt\.com\/backend-api(?:\/|$)/.test(baseUrl));
}

/** The tools with schemas that Gemini takes. @param {{tools: any[]}} ctx @returns {any[]} */
export const normalizeGeminiToolSchemas = (ctx) => ctx.tools.map((tool) => (isNode(tool.parameters) ? { ...tool, parameters: cleanSchemaForGemini(tool.parameters) } : tool));

const inspected = (ctx, keywords) => ctx.tools
  .map((tool, toolIndex) => ({ toolName: tool.name, toolIndex, violations: findUnsupportedSchemaKeywords(tool.parameters, `${tool.name}.parameters`, keywords) }))
  .filter((row) => row.violations.length > 0);

/** What Gemini would refuse. @param {{tools: any[]}} ctx @returns {Array<{toolName: string, toolIndex: number, violations: string[]}>} */
export const inspectGeminiToolSchemas = (ctx) => inspected(ctx, GEMINI_UNSUPPORTED_SCHEMA_KEYWORDS);

/** The tools with schemas that OpenAI's responses take. @param {any} ctx @returns {any[]} */
export function normalizeOpenAIToolSchemas(ctx) {
  if (!isOpenAIResponses(ctx)) return ctx.tools;
  return ctx.tools.map((tool) => {
    const parameters = tool.parameters ?? {};
    return isNode(parameters) ? { ...tool, parameters: explicit(parameters, true) } : tool;
  });
}

/** OpenAI refuses nothing that the normalised schemas still hold. @param {any} _ctx @returns {any[]} */
export const inspectOpenAIToolSchemas = (_ctx) => [];

/** What DeepSeek refuses: a choice of schemas. */
export const DEEPSEEK_UNSUPPORTED_SCHEMA_KEYWORDS = new Set(['anyOf', 'oneOf']);

const onlyHolds = (list, value) => Array.isArray(list) && list.length === 1 && list[0] === value;
const isNull = (schema) => isPlain(schema) && (schema.type === 'null' || schema.const === null || onlyHolds(schema.type, 'null') || onlyHolds(schema.enum, null));

/** A schema in which a choice of texts is an enumeration, and any other choice its first that is not nothing. */
function withoutChoices(schema) {
  if (!isNode(schema)) return schema;
  const choice = Array.isArray(schema) ? undefined : ['anyOf', 'oneOf'].find((key) => Array.isArray(schema[key]));
  if (!choice) return mapped(schema, withoutChoices);
  const { [choice]: variants, ...others } = schema;
  const rest = mapped(others, withoutChoices);
  const all = variants.map(withoutChoices);
  const given = all.filter((variant) => !isNull(variant));
  const nullable = given.length < all.length ? { nullable: true } : {};
  if (given.length > 1 && given.every((variant) => isPlain(variant) && typeof variant.const === 'string')) return { ...rest, type: 'string', enum: given.map((variant) => variant.const), ...nullable };
  const first = given[0] ?? all[0];
  return isPlain(first) ? { ...first, ...rest, ...nullable } : rest;
}

/** The tools with schemas that DeepSeek takes. @param {{tools: any[]}} ctx @returns {any[]} */
export const normalizeDeepSeekToolSchemas = (ctx) => ctx.tools.map((tool) => {
  const parameters = withoutChoices(tool.parameters);
  return parameters === tool.parameters ? tool : { ...tool, parameters };
});

/** What DeepSeek would refuse. @param {{tools: any[]}} ctx @returns {Array<{toolName: string, toolIndex: number, violations: string[]}>} */
export const inspectDeepSeekToolSchemas = (ctx) => inspected(ctx, DEEPSEEK_UNSUPPORTED_SCHEMA_KEYWORDS);

/** The hooks of a family of services. @param {'deepseek' | 'gemini' | 'openai'} family */
export function buildProviderToolCompatFamilyHooks(family) {
  if (family === 'gemini') return { normalizeToolSchemas: normalizeGeminiToolSchemas, inspectToolSchemas: inspectGeminiToolSchemas };
  if (family === 'deepseek') return { normalizeToolSchemas: normalizeDeepSeekToolSchemas, inspectToolSchemas: inspectDeepSeekToolSchemas };
  if (family === 'openai') return { normalizeToolSchemas: normalizeOpenAIToolSchemas, inspectToolSchemas: inspectOpenAIToolSchemas };
  throw new Error('Unsupported provider tool compatibility family');
}
