"""Converse and ConverseStream: request and answers, pure, in the shape of a family."""

from service.bedrock.converse.events import ConverseDecoder
from service.bedrock.converse.request import body
from service.bedrock.family import Family

__all__ = ["CONVERSE"]

CONVERSE = Family("converse", body, ConverseDecoder)
