export { parseCommandArgs } from './internal/native-commands.js';
