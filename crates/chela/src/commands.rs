//! What each command does. Cold commands (config, plugins, sessions) read files and start no runtime.

pub mod agent;
pub mod agent_local;
pub mod completion;
pub mod config;
mod config_set;
pub mod devices;
pub mod doctor;
pub mod gateway;
mod gateway_control;
pub mod gateway_run;
mod gateway_status;
pub mod health;
pub mod logs;
pub mod other;
pub mod plugin_runtime;
pub mod plugins;
mod plugins_inspect;
mod plugins_install;
mod plugins_list;
mod plugins_registry;
mod plugins_search;
mod plugins_switch;
mod plugins_uninstall;
mod plugins_update;
pub mod qr;
pub mod sessions;
pub mod status;
