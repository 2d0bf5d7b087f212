"""Presidio over normalised text: its pattern recognisers with checksums and context words, without any download.

By default the spaCy pipeline is blank: a tokeniser and lower-case lemmas, which is what Presidio needs to find context
words. A trained pipeline (`--spacy PATH`) adds names and places. tldextract, which checks the domains of mail
addresses, uses the suffix list in its package.
"""

import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from veridact.errors import MissingModelError
from veridact.locate.speech.normalization import NormalizedText
from veridact.locate.speech.pii.match import PiiMatch
from veridact.schema.manifest import Producer

LABELS = {
    "CREDIT_CARD": "credit_card",
    "IBAN_CODE": "iban",
    "PHONE_NUMBER": "phone_number",
    "EMAIL_ADDRESS": "email",
    "DATE_TIME": "date",
    "PERSON": "person_name",
    "LOCATION": "location",
    "US_SSN": "id_number",
    "US_ITIN": "id_number",
    "US_PASSPORT": "id_number",
    "US_DRIVER_LICENSE": "id_number",
    "US_BANK_NUMBER": "id_number",
    "UK_NHS": "id_number",
    "UK_NINO": "id_number",
    "MEDICAL_LICENSE": "id_number",
    "IP_ADDRESS": "id_number",
    "CRYPTO": "id_number",
}
"""The manifest label of each entity type of Presidio; other types are not requested."""

MIN_SCORE = 0.35


def _disable_suffix_download() -> None:
    """Limits tldextract to the suffix list in its package; by default it downloads a newer one."""
    import tldextract
    import tldextract.tldextract

    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)
    tldextract.tldextract.TLD_EXTRACTOR = offline
    tldextract.extract = tldextract.tldextract.extract = offline.__call__


def _lower_lemmas(doc: Any) -> Any:
    """A spaCy component that takes the lower-case form of a token as its lemma."""
    for token in doc:
        token.lemma_ = token.lower_
    return doc


def _pipeline(language: str, path: str | None) -> Any:
    """The spaCy pipeline in a folder, or a blank one whose lemmas are the words in lower case.

    Raises `MissingModelError` where the folder holds none.
    """
    import spacy
    from spacy.language import Language

    if path is not None:
        if not Path(path).exists():
            raise MissingModelError(f"--spacy {path}: no such folder; give the folder of a spaCy pipeline")
        try:
            return spacy.load(path)
        except (OSError, ValueError, ImportError):
            raise MissingModelError(
                f"--spacy {path}: not a pipeline for the installed spaCy {spacy.__version__}; give one of that version"
            ) from None

    if not Language.has_factory("veridact_lower_lemmas"):
        Language.component("veridact_lower_lemmas", func=_lower_lemmas)

    blank = spacy.blank(language)
    blank.add_pipe("veridact_lower_lemmas")
    return blank


class Presidio:
    """Presidio's analyser for one language."""

    def __init__(self, producer_id: str, language: str, spacy_path: str | None) -> None:
        """Builds the analyser; raises `MissingModelError` where the package or the pipeline is missing."""
        try:
            from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
            from presidio_analyzer.nlp_engine import SpacyNlpEngine
        except ImportError:
            raise MissingModelError("presidio-analyzer is not installed: pip install 'veridact[locate]'") from None
        logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)  # it may log text that it analyses
        _disable_suffix_download()
        engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": spacy_path or "blank"}])
        engine.nlp = {language: _pipeline(language, spacy_path)}
        registry = RecognizerRegistry(supported_languages=[language])
        registry.load_predefined_recognizers(languages=[language], nlp_engine=engine)
        if spacy_path is None:
            registry.remove_recognizer("SpacyRecognizer")
        self._language = language
        self._analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])
        self._entities = sorted(set(LABELS) & set(self._analyzer.get_supported_entities(language)))
        self.producer = Producer(
            id=producer_id,
            kind="tool",
            name="presidio-analyzer",
            version=version("presidio-analyzer"),
            settings={"spacy": "given" if spacy_path else "blank", "language": language},
        )

    def find(self, text: NormalizedText) -> Iterator[PiiMatch]:
        """Every entity that the analyser finds, as a span of words."""
        if not text.text.strip():
            return
        results = self._analyzer.analyze(text.text, self._language, entities=self._entities, score_threshold=MIN_SCORE)
        for result in results:
            first, end = text.word_span(result.start, result.end)
            yield PiiMatch(LABELS[result.entity_type], first, end, float(result.score))
