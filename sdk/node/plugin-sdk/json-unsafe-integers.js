export { parseJsonObjectPreservingUnsafeIntegers, parseJsonPreservingUnsafeIntegers, quoteUnsafeIntegerLiterals } from './internal/json-integers.js';
