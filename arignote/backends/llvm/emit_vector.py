from ...lower.loop_ir import For
from .function_text import FunctionText

def vectorisable(statement: For) -> bool:
    return False

def emit_vector_loop(function: FunctionText, statement: For) -> None:
    raise NotImplementedError
