"""The starter: any object, in any modality."""
