export { buildOauthProviderAuthResult } from './internal/auth/setup.js';
