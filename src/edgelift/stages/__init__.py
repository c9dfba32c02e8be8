"""The stages of the pipeline, one folder each; a stage never imports another stage."""
