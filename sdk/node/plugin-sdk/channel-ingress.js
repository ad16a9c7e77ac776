export { decideChannelIngress } from './internal/ingress-gates.js';
