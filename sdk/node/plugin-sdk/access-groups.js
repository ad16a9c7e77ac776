export { parseAccessGroupAllowFromEntry } from './internal/ingress-lists.js';
