export { formatAllowFromLowercase, summarizeMapping } from './internal/feedback.js';
