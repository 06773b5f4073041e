"""The built-in models. Each module has one `build_model`, and yours may look the same."""
