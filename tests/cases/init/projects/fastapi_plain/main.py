from fastapi import FastAPI

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/items/{item_id}")
def read(item_id: int, q: str = ""):
    return {"id": item_id, "q": q}


@app.post("/items")
async def create(body: dict):
    return body
