export { validateJsonSchemaValue } from './internal/json-schema.js';
