// JSON schemas as Gemini takes them: references written out, unions made one type, and no keywords that it refuses.

/** Keywords that Gemini refuses in a tool's schema. */
export const GEMINI_UNSUPPORTED_SCHEMA_KEYWORDS = new Set('patternProperties additionalProperties $schema $id $ref $defs definitions examples minLength maxLength minimum maximum multipleOf pattern format minItems maxItems uniqueItems minProperties maxProperties not'.split(' '));

const isNode = (value) => Boolean(value) && typeof value === 'object';
const isPlain = (value) => isNode(value) && !Array.isArray(value);
const KEPT = ['description', 'title', 'default'];

/** Puts what describes one schema on another. */
function describedLike(from, to) {
  for (const key of KEPT) if (from[key] !== undefined) to[key] = from[key];
  return to;
}

/** The definitions that a schema sees: its own over those around it. */
function definitionsOf(schema, around) {
  const own = [schema.$defs, schema.definitions].filter(isPlain);
  return own.length === 0 ? around : new Map([...(around ?? []), ...own.flatMap(Object.entries)]);
}

function lookUp(reference, definitions) {
  const name = /^#\/(?:\$defs|definitions)\/(.+)$/.exec(reference)?.[1];
  return name && definitions?.get(name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function allowsOnlyNull(schema) {
  if (!isPlain(schema)) return false;
  if ('const' in schema && schema.const === null) return true;
  if (Array.isArray(schema.enum) && schema.enum.length === 1) return schema.enum[0] === null;
  return schema.type === 'null' || (Array.isArray(schema.type) && schema.type.length === 1 && schema.type[0] === 'null');
}

/** A union of single values of one type is an `enum`. */
function asEnum(variants) {
  const values = [];
  for (const variant of variants) {
    if (!isNode(variant) || typeof variant.type !== 'string' || !variant.type || variant.type !== variants[0].type) return undefined;
    if ('const' in variant) values.push(variant.const);
    else if (Array.isArray(variant.enum) && variant.enum.length === 1) values.push(variant.enum[0]);
    else return undefined;
  }
  return values.length > 0 ? { type: variants[0].type, enum: values } : undefined;
}

/** A union that can be said with one schema. @returns {{variants: any[], whole?: any, said: boolean}} */
function simpler(schema, cleaned) {
  const variants = cleaned.filter((variant) => !allowsOnlyNull(variant));
  const values = asEnum(variants);
  if (values) return { variants, whole: describedLike(schema, values), said: true };
  if (variants.length === cleaned.length || variants.length !== 1) return { variants, said: false };
  return { variants, whole: isPlain(variants[0]) ? describedLike(schema, { ...variants[0] }) : variants[0], said: true };
}

/** What remains of a union that cannot: its only schema, else the type of the first. */
function fallback(schema, variants) {
  const schemas = variants.filter(isNode);
  if (schemas.length === 0) return undefined;
  if (schemas.length === 1) return describedLike(schema, { ...schemas[0] });
  const types = new Set(schemas.map((variant) => variant.type).filter(Boolean));
  const type = types.size === 1 ? [...types][0] : schemas[0].type;
  return describedLike(schema, type ? { type } : {});
}

/** `required` names only properties that are there. */
function withKnownRequired(schema) {
  if (!Array.isArray(schema.required)) return schema;
  if (!isPlain(schema.properties)) {
    if (schema.type === 'object') delete schema.required;
    return schema;
  }
  const required = schema.required.filter((key) => typeof key === 'string' && Object.hasOwn(schema.properties, key));
  if (required.length > 0) schema.required = required;
  else delete schema.required;
  return schema;
}

function clean(schema, around, seen) {
  if (!isNode(schema)) return schema;
  if (Array.isArray(schema)) return schema.map((entry) => clean(entry, around, seen));
  const definitions = definitionsOf(schema, around);
  const inner = (value) => clean(value, definitions, seen);
  if (typeof schema.$ref === 'string' && schema.$ref) {
    if (seen.includes(schema.$ref)) return {};
    const target = lookUp(schema.$ref, definitions);
    const written = target ? clean(target, definitions, [...seen, schema.$ref]) : {};
    return isPlain(written) ? describedLike(schema, { ...written }) : written;
  }
  const unions = {};
  for (const key of ['anyOf', 'oneOf']) if (Array.isArray(schema[key])) unions[key] = schema[key].map(inner);
  for (const key of Object.keys(unions)) {
    const { variants, whole, said } = simpler(schema, unions[key]);
    if (said) return whole;
    unions[key] = variants;
  }
  const hasUnion = Object.keys(unions).length > 0;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (GEMINI_UNSUPPORTED_SCHEMA_KEYWORDS.has(key)) continue;
    if (key === 'required' && Array.isArray(value) && value.length === 0) continue;
    if (key === 'const') out.enum = [value];
    else if (key === 'type' && hasUnion) continue;
    else if (key === 'type' && Array.isArray(value) && value.every((entry) => typeof entry === 'string')) {
      const types = value.filter((entry) => entry !== 'null');
      out.type = types.length === 1 ? types[0] : types;
    } else if (key === 'properties') out.properties = isPlain(value) ? Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, inner(entry)])) : {};
    else if (key in unions) out[key] = unions[key];
    else if (key === 'items' || (key === 'allOf' && Array.isArray(value))) out[key] = inner(value);
    else out[key] = value;
  }
  for (const key of ['anyOf', 'oneOf']) {
    const one = Array.isArray(out[key]) && fallback(out, out[key]);
    if (one) return withKnownRequired(one);
  }
  return withKnownRequired(out);
}

/** A schema as Gemini takes it. @param {any} schema @returns {any} */
export const cleanSchemaForGemini = (schema) => (Array.isArray(schema) ? schema.map(cleanSchemaForGemini) : clean(schema, undefined, []));
