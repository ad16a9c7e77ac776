export { readBooleanParam } from './internal/booleans.js';
