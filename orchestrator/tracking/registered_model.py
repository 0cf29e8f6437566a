"""What MLflow runs of a registered model: the exported folder behind its own pipeline.

MLflow copies this file into the model and executes it where the model is loaded, which needs
transformers and torch but no xlwarm.
"""

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class SpanModel(PythonModel):
    """Tags texts, or words where the model is given more than words."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the pipeline of the folder."""
        from transformers import pipeline

        self._tag: Any = pipeline(
            "token-classification",
            model=context.artifacts["model"],
            aggregation_strategy="simple",
            trust_remote_code=True,
        )

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[list[dict[str, Any]]]:
        """Spans of every row; a column ``text``, or ``tokens``, ``pos`` and ``predicate``."""
        spans: list[list[dict[str, Any]]] = self._tag(model_input.to_dict("records"))
        return spans


mlflow.models.set_model(SpanModel())
