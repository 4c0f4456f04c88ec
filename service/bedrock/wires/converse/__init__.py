"""Converse and ConverseStream: request and answers, pure, in the shape of a family."""

from service.bedrock.wires.converse.events import ConverseDecoder
from service.bedrock.wires.converse.request import body
from service.bedrock.wires.family import Family

__all__ = ["CONVERSE"]

CONVERSE = Family("converse", body, ConverseDecoder)
