export { generateSecureToken, generateSecureUuid } from './internal/random.js';
