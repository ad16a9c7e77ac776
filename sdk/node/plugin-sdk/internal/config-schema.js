// Configuration schemas as plugins hand them over: something that parses, and its JSON Schema.

function issueOf(issue, whole) {
  const path = Array.isArray(issue?.path) ? issue.path.filter((part) => ['string', 'number'].includes(typeof part)) : undefined;
  return whole ? { ...issue, ...(path ? { path } : {}) } : { path: path ?? [], message: issue.message };
}

/** A channel's schema object around something with `safeParse` (and `toJSONSchema`). */
export function buildChannelConfigSchema(schema, options) {
  return {
    schema: typeof schema.toJSONSchema === 'function' ? schema.toJSONSchema({ target: 'draft-07', unrepresentable: 'any' }) : { type: 'object', additionalProperties: true },
    ...(options?.uiHints ? { uiHints: options.uiHints } : {}),
    runtime: {
      safeParse(value) {
        const result = schema.safeParse(value);
        if (result.success) return { success: true, data: result.data };
        return { success: false, issues: result.error.issues.map((issue) => issueOf(issue, true)) };
      },
    },
  };
}

/** A channel's schema object around a JSON Schema. */
export function buildJsonChannelConfigSchema(schema, options) {
  return { schema, ...(options?.uiHints ? { uiHints: options.uiHints } : {}), ...(options?.runtime ? { runtime: options.runtime } : {}) };
}

function emptyProblem(value) {
  if (value === undefined) return null;
  if (!value || typeof value !== 'object' || Array.isArray(value)) return 'expected config object';
  return Object.keys(value).length > 0 ? 'config must be empty' : null;
}

const EMPTY = { type: 'object', additionalProperties: false, properties: {} };

/** The schema of a channel without settings. */
export function emptyChannelConfigSchema() {
  return {
    schema: structuredClone(EMPTY),
    runtime: {
      safeParse(value) {
        const message = emptyProblem(value);
        return message ? { success: false, issues: [{ path: [], message }] } : { success: true, data: value };
      },
    },
  };
}

/** The schema of a plugin without settings. */
export function emptyPluginConfigSchema() {
  return {
    safeParse(value) {
      const message = emptyProblem(value);
      return message ? { success: false, error: { issues: [{ path: [], message }] } } : { success: true, data: value };
    },
    jsonSchema: structuredClone(EMPTY),
  };
}

/** A plugin's schema object around something with `safeParse` (and `toJSONSchema`). */
export function buildPluginConfigSchema(schema, options) {
  const jsonSchema =
    typeof schema.toJSONSchema === 'function'
      ? tidy(schema.toJSONSchema({ target: 'draft-07', io: 'input', unrepresentable: 'any' }))
      : { type: 'object', additionalProperties: true };
  const parse = (value) => {
    const result = schema.safeParse(value);
    if (result.success) return { success: true, data: result.data };
    return { success: false, error: { issues: result.error.issues.map((issue) => issueOf(issue, false)) } };
  };
  return { safeParse: options?.safeParse ?? parse, ...(options?.uiHints ? { uiHints: options.uiHints } : {}), jsonSchema };
}

/** A plugin's schema object around a JSON Schema; values are checked with defaults applied. */
export function buildJsonPluginConfigSchema(schema, options) {
  const parse = (value) => {
    const data = structuredClone(value);
    const holder = { value: data };
    const issues = [];
    validate(schema, holder, 'value', [], issues);
    return issues.length > 0 ? { success: false, error: { issues } } : { success: true, data: holder.value };
  };
  return { safeParse: options?.safeParse ?? parse, ...(options?.uiHints ? { uiHints: options.uiHints } : {}), jsonSchema: tidy(schema) };
}

/** Removes what says nothing: `$schema`, empty `required`, `propertyNames` of type string. */
function tidy(schema) {
  if (Array.isArray(schema)) return schema.map(tidy);
  if (!schema || typeof schema !== 'object') return schema;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$schema') continue;
    if (key === 'propertyNames' && value?.type === 'string') continue;
    if (key === 'required' && Array.isArray(value) && value.length === 0) continue;
    out[key] = tidy(value);
  }
  return out;
}

const TYPES = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
};

/** Checks the part of JSON Schema that plugin settings use, and fills in defaults. */
function validate(schema, holder, key, path, issues) {
  if (!schema || typeof schema !== 'object') {
    if (schema === false) issues.push({ path, message: 'must not be present' });
    return;
  }
  if (holder[key] === undefined && schema.default !== undefined) holder[key] = structuredClone(schema.default);
  const value = holder[key];
  if (value === undefined) return;
  const wanted = schema.type === undefined ? [] : [schema.type].flat();
  if (wanted.length > 0 && !wanted.some((type) => TYPES[type]?.(value))) return void issues.push({ path, message: `must be ${wanted.join(' or ')}` });
  if (schema.enum && !schema.enum.some((item) => same(item, value))) issues.push({ path, message: `must be equal to one of the allowed values` });
  if ('const' in schema && !same(schema.const, value)) issues.push({ path, message: 'must be equal to constant' });
  validateScalar(schema, value, path, issues);
  if (TYPES.object(value)) validateObject(schema, value, path, issues);
  if (Array.isArray(value)) value.forEach((_, index) => validate(schema.items, value, index, [...path, index], issues));
  validateCombined(schema, holder, key, path, issues);
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function validateScalar(schema, value, path, issues) {
  const fail = (message) => issues.push({ path, message });
  if (typeof value === 'number') {
    if (value < schema.minimum) fail(`must be >= ${schema.minimum}`);
    if (value > schema.maximum) fail(`must be <= ${schema.maximum}`);
    if (value <= schema.exclusiveMinimum) fail(`must be > ${schema.exclusiveMinimum}`);
    if (value >= schema.exclusiveMaximum) fail(`must be < ${schema.exclusiveMaximum}`);
  }
  if (typeof value === 'string') {
    if (value.length < schema.minLength) fail(`must NOT have fewer than ${schema.minLength} characters`);
    if (value.length > schema.maxLength) fail(`must NOT have more than ${schema.maxLength} characters`);
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) fail(`must match pattern "${schema.pattern}"`);
  }
  if (Array.isArray(value)) {
    if (value.length < schema.minItems) fail(`must NOT have fewer than ${schema.minItems} items`);
    if (value.length > schema.maxItems) fail(`must NOT have more than ${schema.maxItems} items`);
  }
}

function validateObject(schema, value, path, issues) {
  for (const name of Object.keys(schema.properties ?? {})) validate(schema.properties[name], value, name, [...path, name], issues);
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) issues.push({ path: [...path, name], message: `must have required property '${name}'` });
  }
  const patterns = Object.entries(schema.patternProperties ?? {});
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(schema.properties ?? {}, name)) continue;
    const matching = patterns.filter(([pattern]) => new RegExp(pattern, 'u').test(name));
    for (const [, inner] of matching) validate(inner, value, name, [...path, name], issues);
    if (matching.length > 0) continue;
    if (schema.additionalProperties === false) issues.push({ path, message: `must NOT have additional properties: '${name}'` });
    else validate(schema.additionalProperties, value, name, [...path, name], issues);
  }
}

function validateCombined(schema, holder, key, path, issues) {
  const passing = (list) => list.filter((inner) => {
    const trial = { [key]: structuredClone(holder[key]) };
    const found = [];
    validate(inner, trial, key, path, found);
    return found.length === 0;
  });
  for (const inner of schema.allOf ?? []) validate(inner, holder, key, path, issues);
  if (schema.anyOf && passing(schema.anyOf).length === 0) issues.push({ path, message: 'must match a schema in anyOf' });
  if (schema.oneOf && passing(schema.oneOf).length !== 1) issues.push({ path, message: 'must match exactly one schema in oneOf' });
  if (schema.not && passing([schema.not]).length === 1) issues.push({ path, message: 'must NOT be valid' });
}
