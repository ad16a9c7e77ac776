export { hasControlCommand } from './internal/commands.js';
