"""Stage visualize: filters, responses, Grad-CAM, projector."""
