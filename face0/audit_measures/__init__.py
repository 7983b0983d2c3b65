"""The measures of an audit, each by prompt and over all prompts of an arm. Definitions and sources: docs/audit.md."""
