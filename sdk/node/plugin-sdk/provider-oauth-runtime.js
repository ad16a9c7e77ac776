export { generateOAuthState, generateHexPkceVerifierChallenge, generatePkceVerifierChallenge, parseOAuthCallbackInput, toFormUrlEncoded, waitForLocalOAuthCallback } from './internal/auth/oauth.js';
